"""What a scrape says: valid in Prometheus' own parser, named and explained as Prometheus wants it, and right."""

import subprocess
import sys
import threading

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from homeostat.core.records.routes import Route
from homeostat.serve.counts import counts_of
from homeostat.serve.exposition import exposition
from homeostat.serve.forgets import Forgets
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.scoreboard import Scoreboard
from homeostat.serve.settings import ServeSettings
from homeostat.testing import serving as fakes

_CHAMPION = Route(model="m", generation=1, champion=1)
_SHADOW = Route(model="m", generation=2, champion=1, shadow=2)
_UNITS = ("_seconds", "_rows", "_requests", "_workers")


def families(text):
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(found, name, **labels):
    (only,) = [
        s.value for f in found.values() for s in f.samples if s.name == name and labels.items() <= s.labels.items()
    ]
    return only


class Server:
    """A worker in a thread; those of one folder share their counts."""

    def __init__(self, folder, models, route=_CHAMPION, **settings):
        self.board = Scoreboard(folder)
        self.engine = fakes.EngineInThread(
            fakes.Versions(models),
            Forgets(),
            fakes.FixedClock(),
            settings=ServeSettings(),
            desk={"scoreboard": self.board},
            metrics=ServeMetrics(self.board.counts),
            **settings,
        )
        self.engine.switch(route)

    def ask(self, method, path, **options):
        with httpx.Client(base_url=f"http://127.0.0.1:{self.engine.port}", timeout=60) as client:
            return client.request(method, path, headers={"host": "127.0.0.1:8700"}, **options)

    def predict(self, rows=1):
        return self.ask("POST", "/models/m/predict", json={"rows": [fakes.ROW] * rows}).status_code

    def scrape(self):
        response = self.ask("GET", "/metrics")
        assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
        return families(response.text)

    def close(self):
        assert self.engine.close(10)
        self.board.close()


@pytest.fixture
def serve(tmp_path):
    servers = []

    def make(models=None, route=_CHAMPION, **settings):
        servers.append(Server(tmp_path / "metrics", models or {1: fakes.Says(0.75)}, route, **settings))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def test_every_family_is_named_explained_and_parsed_as_prometheus_wants_it(serve):
    server = serve({1: fakes.Says(0.75), 2: fakes.Raises()}, _SHADOW)
    assert server.predict(rows=3) == 200
    server.engine.flush(10)
    found = server.scrape()
    assert {f.type for f in found.values()} == {"counter", "gauge", "histogram"}
    for family in found.values():
        assert family.name.startswith("homeostat_")
        assert family.documentation
        if family.type != "counter":  # counters count things, which their names say
            assert family.name.endswith(_UNITS), family.name
        for sample in family.samples:
            assert sample.value >= 0
    for name in ("answer", "queue", "evaluation"):
        family = found[f"homeostat_{name}_seconds"]
        buckets = [s for s in family.samples if s.name.endswith("_bucket") and s.labels["route"] == "champion"]
        assert [s.value for s in buckets] == sorted(s.value for s in buckets)
        assert buckets[-1].labels["le"] == "+Inf"
        assert buckets[-1].value == value(found, f"{family.name}_count", route="champion") == 1


def test_requests_rows_and_errors_are_told_by_model_version_and_route(serve):
    server = serve({1: fakes.Says(0.75), 2: fakes.Raises()}, _SHADOW)
    assert [server.predict(rows=n) for n in (1, 2)] == [200, 200]
    server.engine.flush(10)
    found = server.scrape()
    champion, shadow = {"version": "1", "route": "champion"}, {"version": "2", "route": "shadow"}
    assert value(found, "homeostat_evaluations_total", status="ok", **champion) == 2
    assert value(found, "homeostat_evaluations_total", status="error", **shadow) == 2
    assert value(found, "homeostat_rows_total", **champion) == 3
    assert value(found, "homeostat_batch_rows_sum", **champion) == 3
    assert value(found, "homeostat_answer_seconds_count", **champion) == 2
    assert value(found, "homeostat_requests_total", path="/models/{model}/predict", status="200") == 2


def test_what_waits_and_what_was_refused_is_told(serve):
    slow = fakes.Hangs()
    server = serve({1: slow}, queue=1)
    slow.go.clear()
    statuses = []
    threads = [threading.Thread(target=lambda: statuses.append(server.predict())) for _ in range(6)]
    for thread in threads:
        thread.start()
    while len(statuses) < 4:  # one is under way and one waits: the others are refused
        threads[0].join(0.01)
    assert statuses == [429] * 4
    found = server.scrape()
    assert value(found, "homeostat_queue_requests", model="m", version="1") == 1
    assert value(found, "homeostat_evaluations_total", status="overloaded") == 4
    slow.go.set()
    for thread in threads:
        thread.join(20)
    assert value(server.scrape(), "homeostat_evaluations_total", status="ok") == 2


def test_whichever_worker_is_asked_tells_the_sum_which_never_falls(serve):
    workers = [serve(), serve(), serve()]
    last = 0.0
    for number in range(12):
        assert workers[number % 3].predict() == 200
        found = workers[(number * 2) % 3].scrape()
        told = value(found, "homeostat_evaluations_total")
        assert told >= last
        last = told
        assert value(found, "homeostat_serving_workers") == len(list(workers[0].board._folder.glob("*.counts")))
    for worker in workers:
        worker.scrape()
    assert [value(worker.scrape(), "homeostat_evaluations_total") for worker in workers] == [12.0] * 3


def test_a_worker_that_is_replaced_goes_on_counting(serve):
    first, second = serve(), serve()
    for worker in (first, first, second):
        assert worker.predict() == 200
        worker.scrape()
    first.engine.close(10)
    first.board.close()
    alone = second.scrape()
    assert value(alone, "homeostat_evaluations_total") == 3
    assert value(alone, "homeostat_serving_workers") == 1
    third = serve()
    assert third.board._place == first.board._place
    assert third.predict() == 200
    assert value(third.scrape(), "homeostat_evaluations_total") == 4
    first.close = lambda: None


def test_a_snapshot_that_comes_late_does_not_replace_a_newer_one(tmp_path):
    board = Scoreboard(tmp_path)
    metrics = ServeMetrics(board.counts)
    metrics.requested("/", 200, 0.1)
    early = metrics.snapshot()
    metrics.requested("/", 200, 0.1)
    board.write(metrics.snapshot())
    board.write(early)
    assert board.total().endpoints["/"].by_status == {200: 2}
    board.close()


def test_a_file_that_is_no_count_is_left_alone(tmp_path, caplog):
    (tmp_path / "00.counts").write_bytes(b"\xc1 broken")
    board = Scoreboard(tmp_path)
    assert board.counts.endpoints == {}
    assert board.total().workers == 0
    assert "metrics.not_read" in caplog.text
    board.write(ServeMetrics(board.counts).snapshot())
    assert board.total().workers == 1
    board.close()


def test_versions_that_are_long_past_are_forgotten_in_parts_and_sum_alike(tmp_path):
    board = Scoreboard(tmp_path)
    metrics = ServeMetrics(board.counts)
    for version in range(1, 101):
        metrics.series("m", version, "champion").evaluated("ok", 1, 1, 1, 0.1)
    board.write(metrics.snapshot())
    told = {key[1] for key in board.total().series}
    board.close()
    again = Scoreboard(tmp_path)
    assert told == {key[1] for key in again.counts.series} == set(range(51, 101))
    again.close()


def test_labels_are_escaped():
    metrics = ServeMetrics()
    metrics.labelled('a"b\\c\nd', 1)
    found = families(exposition(counts_of(metrics.snapshot()[1])).decode())
    assert found["homeostat_labels"].samples[0].labels == {"model": 'a"b\\c\nd'}


@pytest.mark.parametrize(("rows", "bound"), [(1, "1.0"), (2, "2.0"), (3, "4.0"), (4096, "4096.0"), (4097, "+Inf")])
def test_batches_are_counted_up_to_their_own_size(rows, bound):
    metrics = ServeMetrics()
    metrics.series("m", 1, "champion").evaluated("ok", 1, rows, rows, 0.1)
    found = families(exposition(metrics.counts).decode())["homeostat_batch_rows"].samples
    assert next(s.labels["le"] for s in found if s.name.endswith("_bucket") and s.value == 1) == bound


def test_a_killed_process_leaves_its_counts_and_its_place(tmp_path):
    program = (
        "import sys, time, pathlib\n"
        "from homeostat.serve.metrics import ServeMetrics\n"
        "from homeostat.serve.scoreboard import Scoreboard\n"
        "board = Scoreboard(pathlib.Path(sys.argv[1]))\n"
        "metrics = ServeMetrics(board.counts)\n"
        "metrics.requested('/', 200, 0.1)\n"
        "metrics.waiting = lambda: {('m', 1): 7}\n"
        "board.write(metrics.snapshot())\n"
        "print('written', flush=True)\n"
        "time.sleep(60)\n"
    )
    seen = Scoreboard(tmp_path)
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"written\n"
        alive = seen.total()
        assert (alive.endpoints["/"].by_status, alive.waiting, alive.workers) == ({200: 1}, {("m", 1): 7}, 1)
        process.kill()
    dead = seen.total()
    assert (dead.endpoints["/"].by_status, dead.waiting, dead.workers) == ({200: 1}, {}, 0)
    heir = Scoreboard(tmp_path)
    assert heir.counts.endpoints["/"].by_status == {200: 1}
    heir.close()
    seen.close()
