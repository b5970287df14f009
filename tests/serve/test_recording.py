"""Personal values reach no file and no log; a share of requests is recorded whole, and no other."""

import json
import logging
from dataclasses import replace

import httpx
import numpy as np
import pytest

from homeostat.core.columns import Column, Kind, Param, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve.recording import Recording, hashed, in_sample
from homeostat.serve.settings import ServeSettings
from homeostat.serve.table import Table
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package
from homeostat.watch.join import join

KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "zz-subject-4711"
OTHER = "zz-mail-4712"
PERSONAL = Signature(
    task=Task.BINARY,
    columns=(
        *fakes.BINARY.columns,
        Column(name="email", kind=Kind.CATEGORY, nullable=False),
        Column(name="birth", kind=Kind.DATETIME, nullable=True),
    ),
    target="late",
    classes=("no", "yes"),
)


class Compiled(fakes.Says):
    """Answers as compiled models do, in the event loop: over the short way where nobody is on trial."""

    kind = "compiled"

    def __init__(self, p, signature=fakes.BINARY):
        super().__init__(p)
        self.signature = signature

    def answer(self, table):
        from homeostat.train.answers import ask

        return ask(self, table.pandas(), self.signature)


class Quotes(fakes.Says):
    """Raises an error that quotes what it was asked."""

    def predict_proba(self, frame):
        raise ValueError(f"cannot read {frame.to_dict()}")


class Server:
    def __init__(self, folder, models, recording, *, route=None, signature=fakes.BINARY):
        self.folder = folder
        self.records = FileRecords(folder, writer_id="w")
        load = fakes.Versions({1: fakes.Says(0.5)})
        load.packages = {
            v: m if hasattr(m, "answer") else Package(model=m, signature=signature) for v, m in models.items()
        }
        self.engine = fakes.EngineInThread(
            load,
            self.records,
            fakes.FixedClock(),
            settings=ServeSettings(),
            key_column="customer",
            recording=recording,
        )
        self.engine.switch(route or Route(model="m", generation=1, champion=1))

    def post(self, path, body, **headers):
        with httpx.Client(base_url=f"http://127.0.0.1:{self.engine.port}") as client:
            return client.post(path, content=json.dumps(body), headers={"host": "127.0.0.1:8700", **headers})

    def predict(self, row, **body):
        headers = body.pop("headers", {})
        return self.post("/models/m/predict", {"rows": [row], **body}, **headers)

    def label(self, **label):
        return self.post("/models/m/labels", {"labels": [label]})

    def rows(self, *columns):
        return self.records.read("predictions", "m").select(columns).rows()

    def close(self):
        assert self.engine.close(10)
        self.records.close()


def files_with(folder, *words):
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert found
    return [path for path in found if any(word.encode() in path.read_bytes() for word in words)]


@pytest.fixture
def serve(tmp_path):
    servers = []

    def make(models, recording, **other):
        servers.append(Server(tmp_path, models, recording, **other))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


@pytest.mark.parametrize("model", [fakes.Says(0.75), Compiled(0.75)], ids=["process", "compiled"])
def test_a_hashed_key_is_in_no_file_and_labels_still_find_their_rows(serve, tmp_path, caplog, model):
    caplog.set_level(logging.DEBUG)
    server = serve({1: model}, Recording(hashes=["customer"], key_column="customer", secret=KEY))
    assert server.predict({**fakes.ROW, "customer": SECRET}).status_code == 200
    assert server.predict(fakes.ROW, key=SECRET).status_code == 200
    assert server.predict(fakes.ROW, key=SECRET, request_id="chosen").status_code == 200
    assert server.predict({"x": 0.5, "city": None, "customer": 4711}).status_code == 200
    bulk = [{**fakes.ROW, "customer": "b-" + SECRET}] * 20
    assert server.post("/models/m/predict", {"rows": bulk}).status_code == 200
    assert server.label(key=SECRET, value="yes").json() == {"accepted": 1}
    expected = hashed(SECRET, KEY)
    assert sorted(server.rows("key")) == sorted(
        [(expected,)] * 3 + [(hashed("4711", KEY),)] + [(hashed("b-" + SECRET, KEY),)] * 20
    )
    found = join(
        server.records.read("predictions", "m"),
        server.records.read("labels", "m"),
        task=Task.BINARY,
        classes=["no", "yes"],
    )
    assert found.report.matched == 1
    assert not files_with(tmp_path, SECRET)
    server.records.seal()
    FileRecords(tmp_path, writer_id="c").compact()
    assert not list(tmp_path.rglob("*.seg"))
    assert not files_with(tmp_path, SECRET)
    assert SECRET not in caplog.text
    assert server.records.erase("m", [SECRET, expected]) == {"predictions": 3, "labels": 1}


@pytest.mark.parametrize("model", [fakes.Says(0.75), Compiled(0.75, PERSONAL), Quotes(0.5)], ids=["p", "c", "quotes"])
def test_personal_features_and_errors_that_may_quote_them_are_in_no_file(serve, tmp_path, caplog, model):
    caplog.set_level(logging.DEBUG)
    recording = Recording(drop=["birth", "caller"], hashes=["email"], secret=KEY)
    route = Route(model="m", generation=1, champion=1, shadow=2)
    server = serve({1: model, 2: Quotes(0.5)}, recording, route=route, signature=PERSONAL)
    row = {**fakes.ROW, "email": SECRET, "birth": "1901-02-03T00:00:00Z"}
    answer = server.predict(row, headers={"x-caller": OTHER})
    assert answer.status_code == (500 if isinstance(model, Quotes) else 200)
    assert server.engine.flush(10)
    (features,), (error,) = (
        server.records.read("predictions", "m")
        .filter(route="champion")
        .select("features", "error")
        .rows()[0][i : i + 1]
        for i in (0, 1)
    )
    assert json.loads(features) == {**fakes.ROW, "email": hashed(SECRET, KEY), "birth": None}
    assert error == ("ValueError: its words are not kept, as it reads 'email'" if isinstance(model, Quotes) else None)
    bulk = server.post(
        "/models/m/predict", {"rows": [row] * 20}
    )  # rows of bulk requests may be recorded as they were sent
    assert bulk.status_code == answer.status_code
    assert server.engine.flush(10)
    refused = server.predict({**row, "x": SECRET})
    assert refused.status_code == 422
    server.records.seal()
    FileRecords(tmp_path, writer_id="c").compact()
    assert not files_with(tmp_path, SECRET, OTHER, "1901-02-03")
    assert SECRET not in caplog.text


@pytest.mark.parametrize("model", [fakes.Says(0.75), Compiled(0.75)], ids=["process", "compiled"])
def test_a_share_of_requests_is_recorded_and_every_one_is_answered(serve, tmp_path, model):
    server = serve({1: model}, Recording(share=0.3))
    ids = [server.predict(fakes.ROW).json()["request_id"] for _ in range(40)]
    taken = [each for each in ids if in_sample(each, 0.3)]
    assert 0 < len(taken) < 40
    assert sorted(server.rows("request_id", "sample")) == sorted((each, 0.3) for each in taken)


def test_shadows_are_recorded_for_the_requests_that_are_and_only_there(serve):
    route = Route(model="m", generation=1, champion=1, shadow=2)
    shadow = fakes.Says(0.25)
    server = serve({1: fakes.Says(0.75), 2: shadow}, Recording(share=0.5), route=route)
    before = shadow.asked
    for number in range(20):
        assert server.predict(fakes.ROW, request_id=f"r{number}").status_code == 200
    assert server.engine.flush(10)
    taken = {f"r{n}" for n in range(20) if in_sample(f"r{n}", 0.5)}
    assert set(server.rows("request_id", "route")) == {(r, w) for r in taken for w in ("champion", "shadow")}
    assert shadow.asked - before <= 2 * len(taken)  # labels and probabilities


def test_labels_of_requests_that_are_not_recorded_are_left_out_and_counted(serve):
    server = serve({1: fakes.Says(0.75)}, Recording(share=0.5))
    ids = [f"r{n}" for n in range(20)]
    answer = server.post("/models/m/labels", {"labels": [{"request_id": each, "value": "yes"} for each in ids]})
    taken = [each for each in ids if in_sample(each, 0.5)]
    assert answer.json() == {"accepted": len(taken), "unsampled": 20 - len(taken)}
    assert server.records.read("labels", "m")["request_id"].to_list() == taken
    none = next(each for each in ids if each not in taken)
    assert server.label(request_id=none, value="yes").json() == {"accepted": 0, "unsampled": 1}
    assert server.label(request_id=none, value="what").status_code == 422


@pytest.mark.parametrize(
    ("recording", "setting"), [(Recording(share=0.5), "record.sample"), (Recording(drop=["key"]), "record.drop")]
)
def test_labels_by_key_are_refused_where_they_could_not_find_their_row(serve, recording, setting):
    server = serve({1: fakes.Says(0.75)}, recording)
    refused = server.label(key="anna", value="yes")
    assert refused.status_code == 422
    assert setting in refused.json()["error"]["message"]
    assert "anna" not in refused.text


def test_a_failure_that_is_not_recorded_does_not_name_the_record(serve):
    server = serve({1: fakes.Raises()}, Recording(share=1e-12))
    error = server.predict(fakes.ROW, request_id="r1").json()["error"]
    assert "record.sample" in error["hint"]
    assert server.records.read("predictions", "m").height == 0


def test_the_share_is_met_and_a_greater_one_keeps_what_a_smaller_one_has():
    ids = [f"request-{n}" for n in range(10_000)]
    tenth = {each for each in ids if in_sample(each, 0.1)}
    assert abs(len(tenth) - 1000) < 4 * (10_000 * 0.09) ** 0.5
    assert tenth <= {each for each in ids if in_sample(each, 0.2)}
    assert all(in_sample(each, 1.0) for each in ids)


def test_the_hash_is_hmac_sha256_and_needs_the_key():
    # RFC 4231, test case 2, cut to 128 bits as in its test case 5
    assert hashed("what do ya want for nothing?", b"Jefe") == "hmac-5bdcc146bf60754e6a042426089575c7"


def test_values_that_are_no_text_become_null_and_nulls_stay():
    recording = Recording(hashes=["x", "city"], secret=KEY)
    table = Table.of_rows(fakes.BINARY.columns, [(0.5, "Ulm"), (0.5, None)])
    assert recording.kept(table).texts() == [f'{{"x":null,"city":"{hashed("Ulm", KEY)}"}}', '{"x":null,"city":null}']


TOLD = replace(
    fakes.REGRESSION, params=(Param(name="by", type="double", is_list=True), Param(name="customer", type="string"))
)


class Adds:
    """Answers x and all of `by`, and quotes the customer that it does not know."""

    def __init__(self, params=None):
        self.params = params or {}

    def with_params(self, params):
        return Adds(params)

    def predict(self, frame):
        if self.params.get("customer") == OTHER:
            raise ValueError(f"nobody is called {OTHER}")
        return frame["x"].to_numpy() + np.sum(self.params.get("by", [0.0]))


def told(**params):
    return {"instances": [fakes.ROW], "params": params}


@pytest.mark.parametrize("rows", [1, 40], ids=["one row", "a line of many rows"])
def test_params_are_recorded_as_they_were_told_and_go_with_their_rows(serve, rows):
    server = serve({1: Adds()}, Recording(), signature=TOLD)
    body = {**told(by=[1.0, 2.5], customer=SECRET), "instances": [{**fakes.ROW, "customer": "c1"}] * rows}
    assert server.post("/models/m/invocations", body).json()["predictions"] == [3.75] * rows
    assert server.post("/models/m/invocations", told(by=[])).status_code == 200
    assert server.predict(fakes.ROW).status_code == 200
    expected = {"by": [1.0, 2.5], "customer": SECRET}
    kept = [None if text is None else json.loads(text) for (text,) in server.rows("params")]
    assert kept == [*[expected] * rows, {"by": []}, None]
    server.records.seal()
    FileRecords(server.folder, writer_id="c").compact()
    assert [None if text is None else json.loads(text) for (text,) in server.rows("params")] == kept
    assert server.records.erase("m", ["c1"])["predictions"] == rows
    assert not files_with(server.folder, SECRET)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"drop": ["params"]}, None),
        ({"hashes": ["params"]}, hashed(json.dumps({"by": [1.0], "customer": SECRET}, separators=(",", ":")), KEY)),
        ({"drop": ["customer"]}, '{"by":[1.0]}'),
        ({"hashes": ["customer"]}, json.dumps({"by": [1.0], "customer": hashed(SECRET, KEY)}, separators=(",", ":"))),
    ],
    ids=["all dropped", "all hashed", "one dropped", "one hashed"],
)
def test_personal_params_are_in_no_file_nor_in_the_error_that_quotes_them(serve, tmp_path, rules, expected):
    server = serve({1: Adds()}, Recording(**rules, secret=KEY), signature=TOLD)
    assert server.post("/models/m/invocations", told(by=[1.0], customer=SECRET)).status_code == 200
    assert server.rows("params") == [(expected,)]
    assert server.post("/models/m/invocations", told(by=[1.0], customer=OTHER)).status_code == 500
    assert "its words are not kept" in server.rows("error")[1][0]
    server.records.seal()
    FileRecords(tmp_path, writer_id="c").compact()
    assert not files_with(tmp_path, SECRET, OTHER)
