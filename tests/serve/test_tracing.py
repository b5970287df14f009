"""Requests as spans: whose are traced, what they tell, and that nobody waits for them to be sent."""

import json
import subprocess
import sys
import threading
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from random import Random

import httpx
import pytest

from homeostat.core.errors import MissingExtra
from homeostat.core.records.routes import Route
from homeostat.serve import otel
from homeostat.serve.headers import Parent, parent_of
from homeostat.serve.otel import OtelSpans, open_spans
from homeostat.serve.settings import ServeSettings
from homeostat.serve.tracing import Tracing
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.track.run_traces import ids_of
from homeostat.track.traces import attributes_of
from homeostat.train.package import Package
from homeostat.web.mlflow_api.otlp import read_protobuf

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
RUN = "3f" * 16
SEED = 7


class Compiled(fakes.Says):
    """Answers as compiled models do, in the event loop: over the short way where nobody is on trial."""

    kind = "compiled"
    signature = fakes.BINARY

    def answer(self, table):
        from homeostat.train.answers import ask

        return ask(self, table.pandas(), self.signature)


class Collector:
    """Takes spans by OTLP/HTTP; holds them until `go` is set."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.spans, self.resources = [], []
        self.arrived = threading.Condition()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with outer.arrived:
                    outer.arrived.notify_all()
                outer.go.wait(30)
                request = read_protobuf(body)
                with outer.arrived:
                    for group in request["resource_spans"]:
                        outer.resources.append(attributes_of(group["resource"]))
                        outer.spans += [span for scope in group["scope_spans"] for span in scope["spans"]]
                    outer.arrived.notify_all()
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def requests(self, count):
        """Return the spans of so many requests, by request, once they are all there."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: sum(s["kind"] == 2 for s in self.spans) >= count, 30)
        wholes = [span for span in self.spans if span["kind"] == 2]
        return [
            (whole, {s["name"]: s for s in self.spans if s.get("parent_span_id") == whole["span_id"]})
            for whole in wholes
        ]

    def close(self):
        self.go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(10)


@pytest.fixture
def collector(monkeypatch):
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{made.server.server_port}")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_SDK_DISABLED", "OTEL_SERVICE_NAME"):
        monkeypatch.delenv(name, raising=False)
    yield made
    made.close()


class Server:
    def __init__(self, folder, models, *, ratio=0.0, route=None):
        self.spans = open_spans(
            ratio=ratio, run_of=lambda _, version: RUN if version == 1 else None, instance="worker-0"
        )
        self.records = FileRecords(folder, writer_id="w")
        self.engine = self._engine(models, ratio)
        self.engine.switch(route or Route(model="m", generation=1, champion=1))

    def _engine(self, models, ratio):
        load = fakes.Versions({})
        load.packages = {
            v: m if hasattr(m, "answer") else Package(model=m, signature=fakes.BINARY) for v, m in models.items()
        }
        tracing = Tracing(self.spans.tell, ratio=ratio, random=Random(SEED))
        return fakes.EngineInThread(load, self.records, fakes.FixedClock(), settings=ServeSettings(), tracing=tracing)

    def predict(self, rows=1, **headers):
        with httpx.Client(base_url=f"http://127.0.0.1:{self.engine.port}", timeout=30) as client:
            body = json.dumps({"rows": [fakes.ROW] * rows})
            return client.post("/models/m/predict", content=body, headers={"host": "127.0.0.1:8700", **headers})

    def close(self):
        assert self.engine.close(10)
        self.records.close()
        self.spans.close()


@pytest.fixture
def serve(collector, tmp_path):
    servers = []

    def make(models, **other):
        servers.append(Server(tmp_path, models, **other))
        return servers[-1]

    yield make
    collector.go.set()
    for server in servers:
        server.close()


def hexadecimal(value):
    return b64decode(value).hex()


@pytest.mark.parametrize("model", [fakes.Says(0.75), Compiled(0.75)], ids=["process", "compiled"])
def test_a_request_that_its_caller_traces_is_told_in_steps_and_linked_to_the_training_run(serve, collector, model):
    server = serve({1: model})
    answer = server.predict(rows=3, traceparent=SAMPLED)
    assert answer.status_code == 200
    ((whole, steps),) = collector.requests(1)
    assert hexadecimal(whole["trace_id"]) == TRACE
    assert hexadecimal(whole["parent_span_id"]) == SPAN
    assert whole["name"] == "predict m"
    assert attributes_of(whole) == {
        "homeostat.model": "m",
        "homeostat.version": 1,
        "homeostat.route": "champion",
        "homeostat.run_id": RUN,
        "homeostat.request_id": answer.json()["request_id"],
        "homeostat.rows": 3,
    }
    (link,) = whole["links"]
    assert (hexadecimal(link["trace_id"]), hexadecimal(link["span_id"])) == ids_of(RUN)
    assert steps.keys() == {"queue", "evaluate", "record"}
    times = [
        (s["start_time_unix_nano"], s["end_time_unix_nano"])
        for s in (steps["queue"], steps["evaluate"], steps["record"])
    ]
    assert [t for pair in times for t in pair] == sorted(t for pair in times for t in pair)
    assert whole["start_time_unix_nano"] <= times[0][0]
    assert times[-1][1] <= whole["end_time_unix_nano"]
    assert {hexadecimal(step["trace_id"]) for step in steps.values()} == {TRACE}
    assert server.records.read("predictions", "m")["trace"].to_list() == [TRACE] * 3
    assert collector.resources[0]["service.name"] == "homeostat"
    assert collector.resources[0]["service.instance.id"] == "worker-0"


@pytest.mark.parametrize("model", [fakes.Says(0.75), Compiled(0.75)], ids=["process", "compiled"])
def test_a_share_of_the_other_requests_is_traced_and_found_in_the_record(serve, collector, model):
    server = serve({1: model}, ratio=1.0)
    assert server.predict().status_code == 200
    assert server.predict(traceparent=SAMPLED[:-1] + "0").status_code == 200  # its caller does not trace it
    assert server.predict().status_code == 200
    found = collector.requests(2)
    assert len(found) == 2
    told = {hexadecimal(whole["trace_id"]) for whole, _ in found}
    assert all(not whole.get("parent_span_id") for whole, _ in found)
    assert all(steps.keys() == {"queue", "evaluate", "record"} for _, steps in found)
    assert set(server.records.read("predictions", "m")["trace"]) == told | {TRACE}


def test_a_canary_that_fails_and_the_champion_that_answers_for_it_are_both_told(serve, collector):
    route = Route(model="m", generation=1, champion=1, canary=2, canary_percent=100.0)
    server = serve({1: fakes.Says(0.75), 2: fakes.Raises()}, route=route)
    assert server.predict(traceparent=SAMPLED).status_code == 200
    collector.requests(1)
    evaluated = {attributes_of(s)["homeostat.version"]: s for s in collector.spans if s["name"] == "evaluate"}
    assert attributes_of(evaluated[2])["error.type"] == "ModelError"
    assert evaluated[2]["status"]["code"] == 2
    assert "error.type" not in attributes_of(evaluated[1])


def test_a_request_that_fails_is_told_as_failed(serve, collector):
    server = serve({1: fakes.Raises()})
    assert server.predict(traceparent=SAMPLED).status_code == 500
    ((whole, _),) = collector.requests(1)
    assert attributes_of(whole)["error.type"] == "prediction_failed"
    assert whole["status"]["code"] == 2


def test_nobody_waits_for_a_collector_that_hangs(serve, collector):
    server = serve({1: fakes.Says(0.75)}, ratio=1.0)
    collector.go.clear()
    with collector.arrived:
        assert server.predict().status_code == 200
        assert collector.arrived.wait(30)  # it is being told of the first one, and does not answer
    assert [server.predict().status_code for _ in range(20)] == [200] * 20
    assert not collector.spans
    collector.go.set()
    assert len(collector.requests(21)) == 21


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        TRACE,
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01\n",
        f"00-{TRACE}-{SPAN}-01,{SAMPLED}",
        f"cc-{TRACE}-{SPAN}-01more",
        f"cc-{TRACE}-{SPAN}-01-" + "x" * 1000,
        f"00-{TRACE}-{SPAN[:-1]}\u0663-01",
        "00-" + "-" * 60,
        "'; DROP TABLE runs; --",
    ],
)
def test_a_traceparent_that_is_none_is_ignored(text):
    assert parent_of({"traceparent": text}) is None


@pytest.mark.parametrize(
    ("text", "is_sampled"), [(SAMPLED, True), (f"00-{TRACE}-{SPAN}-00", False), (f"cc-{TRACE}-{SPAN}-ff-more", True)]
)
def test_a_traceparent_is_read_also_of_versions_to_come(text, is_sampled):
    assert parent_of({"traceparent": text}) == Parent(TRACE, SPAN, is_sampled)


def test_callers_decide_for_theirs_and_the_ratio_for_the_rest():
    def begin(tracing, parent=None):
        return tracing.begin(parent, model="m", request_id="r", rows=1, start=0.0)

    told = []
    assert begin(Tracing(told.append)) is None
    assert begin(Tracing(told.append), Parent(TRACE, SPAN, True)).parent_id == SPAN
    assert begin(Tracing(told.append, ratio=1.0), Parent(TRACE, SPAN, False)) is None
    tenth = Tracing(told.append, ratio=0.1, random=Random(SEED))
    assert 60 < sum(begin(tenth) is not None for _ in range(1000)) < 140


def test_without_an_endpoint_nothing_is_sent_and_nothing_imported():
    program = (
        "import sys, logging\n"
        "import homeostat.serve.app, homeostat.serve.plane, homeostat.serve.express\n"
        "from homeostat.serve.otel import open_spans\n"
        "assert open_spans(ratio=0.0, run_of=lambda *_: None, instance='w') is None\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    environment = {"PATH": "/usr/bin"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, timeout=60)


def test_without_the_extra_the_project_s_wish_is_an_error_and_an_endpoint_alone_is_not(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.delenv("OTEL_SDK_DISABLED", raising=False)
    monkeypatch.setattr(otel, "_NEEDED", ("opentelemetry.not_there",))
    assert open_spans(ratio=0.0, run_of=lambda *_: None, instance="w") is None
    assert "homeostat[otel]" in caplog.text
    with pytest.raises(MissingExtra) as missing:
        open_spans(ratio=0.5, run_of=lambda *_: None, instance="w")
    assert "homeostat[otel]" in missing.value.hint


def test_the_environment_may_turn_it_off(monkeypatch, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert open_spans(ratio=0.5, run_of=lambda *_: None, instance="w") is None
    assert "no effect" in caplog.text


def test_closing_does_not_wait_for_ever():
    class Stuck:
        def on_end(self, span):
            pass

        def shutdown(self):
            threading.Event().wait(60)

    otel_spans = OtelSpans(Stuck(), run_of=lambda *_: None, instance="w")
    closing = threading.Thread(target=otel_spans.close)
    closing.start()
    closing.join(30)
    assert not closing.is_alive()
