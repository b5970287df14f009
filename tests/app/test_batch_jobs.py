"""Batch jobs over HTTP: the answers of `homeostat predict`, whatever is killed, and nothing that a client could reach besides."""

import json
import os
import signal
import threading
import time

import msgspec
import polars as pl
import pytest
from tests.serve.batch.packages import SIGNATURE, rows, write
from tests.web.doors import Door

from homeostat.app.batch_job import run
from homeostat.app.batch_jobs import MOST_JOBS, Jobs
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.records.registry import ModelVersion
from homeostat.registry.versions import digests_of
from homeostat.train.package import predict, read_package
from homeostat.train.signature import to_json
from homeostat.web.control import build_door

PROJECT = """
model: churn
task: binary
data: {source: rows.csv, target: gone}
serve: {max_job: 3MB}
"""
JOBS, CSV, PARQUET = "/api/v1/models/churn/jobs?version=1", "text/csv", "application/vnd.apache.parquet"


class World:
    def __init__(self, folder):
        (folder / "homeostat.yaml").write_text(PROJECT)
        self.folder = folder
        self.house = open_house(load(folder / "homeostat.yaml"), writer_id="test", actor="ann")
        self.package = write(self.house.place.state / "blobs" / "runs" / "r1" / "model")
        self.register()
        self.jobs = Jobs(self.house)
        self.door = Door(build_door(self.house, jobs=self.jobs))
        self.stop, self.thread = threading.Event(), None

    def register(self):
        now = self.house.clock.now()
        with self.house.store.write() as tx:
            tx.models.add(
                ModelVersion(
                    model="churn",
                    version=1,
                    run_id="r1",
                    created=now,
                    location="runs/r1/model",
                    digests=digests_of(self.package),
                    signature=to_json(SIGNATURE),
                    lineage={},
                )
            )

    def start(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.jobs.run, args=(self.stop,), daemon=True)
        self.thread.start()

    def work(self):
        """Do in this process what waits: what a job's own process does."""
        for place in self.jobs.all():
            if place.progress().state == "queued":
                run(self.folder / "homeostat.yaml", place.folder)

    def end(self):
        self.stop.set()
        if self.thread is not None:
            self.thread.join(30)
            assert not self.thread.is_alive()

    def send(self, method, path, *, body=b"", kind=CSV, **headers):
        given = {"content-type": kind, "content-length": str(len(body)), **headers} if body else headers
        status, headers, found = self.door.send(method, path, body=body, headers=given)
        return status, (json.loads(found) if headers["content-type"] == "application/json" else found)

    def submit(self, frame, kind=CSV, path=JOBS):
        file = self.folder / "sent"
        frame.write_csv(file) if kind == CSV else frame.write_parquet(file)
        status, told = self.send("POST", path, body=file.read_bytes(), kind=kind)
        assert status == 202, told
        return told["id"]

    def until(self, job_id, *states):
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            status, told = self.send("GET", f"/api/v1/jobs/{job_id}")
            assert status == 200, told
            if told["state"] in states:
                return told
            time.sleep(0.1)
        raise TimeoutError(told)

    def files(self, job_id):
        return sorted(path.name for path in (self.house.place.state / "batch_jobs" / job_id).iterdir())


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.end()
    made.door.loop.close()
    made.house.store.close()


def test_rows_are_answered_as_the_model_answers_and_bad_ones_set_aside(world):
    frame = rows(500)
    first, second = world.submit(frame), world.submit(frame, PARQUET)
    assert [one["id"] for one in world.send("GET", "/api/v1/jobs")[1]["jobs"]] == [first, second]
    wanted = predict(read_package(world.package), frame.select("x", "n", "y")).labels.tolist()
    world.work()
    for job_id in (first, second):
        told = world.send("GET", f"/api/v1/jobs/{job_id}")[1]
        assert (told["state"], told["rows"], told["version"], told["error"]) == ("done", 500, 1, None)
        status, content = world.send("GET", f"/api/v1/jobs/{job_id}/result")
        (world.folder / "out.parquet").write_bytes(content)
        assert status == 200
        out = pl.read_parquet(world.folder / "out.parquet")
        assert out["id"].to_list() == frame["id"].to_list()
        assert out["prediction"].to_list() == wanted
        assert world.send("GET", f"/api/v1/jobs/{job_id}/rejects")[0] == 404
        assert world.files(job_id) == ["job.json", "output.parquet", "progress.json"]
    bad = frame.with_columns(x=pl.when(pl.col("id") == "c3").then(None).otherwise(pl.col("x")))
    fails, skips = world.submit(bad), world.submit(bad, path=f"{JOBS}&on_bad=skip")
    world.work()
    told = world.send("GET", f"/api/v1/jobs/{fails}")[1]
    assert (told["state"], told["error"]["code"]) == ("failed", "invalid_rows")
    assert "'input.csv', row 4: field 'x'" in told["error"]["message"]
    assert str(world.folder) not in json.dumps(told)
    assert world.send("GET", f"/api/v1/jobs/{fails}/result")[0] == 409
    told = world.send("GET", f"/api/v1/jobs/{skips}")[1]
    assert (told["state"], told["rows"], told["rejected"]) == ("done", 499, 1)
    status, content = world.send("GET", f"/api/v1/jobs/{skips}/rejects")
    assert (status, json.loads(content)["row"]) == (200, 4)


@pytest.mark.timeout(240)
def test_a_job_whose_process_is_killed_and_whose_server_ends_goes_on(world):
    world.start()
    job_id = world.submit(rows(400))
    world.until(job_id, "running", "done")
    running = world.jobs._running
    if running is not None:
        os.killpg(running[1].pid, signal.SIGKILL)
    world.end()
    world.jobs = Jobs(world.house)  # a new process
    world.start()
    assert world.until(job_id, "done", "failed")["rows"] == 400


def test_one_that_dies_again_and_again_is_given_up(world):
    job_id = world.submit(rows(20))
    place = world.jobs.place(job_id)
    place.note(replace_progress(place, tries=3, state="running"))
    world.start()
    told = world.until(job_id, "failed")
    assert "died 3 times" in told["error"]["message"]


def replace_progress(place, **changes):
    return msgspec.structs.replace(place.progress(), **changes)


def test_a_job_that_is_removed_leaves_nothing(world):
    job_id = world.submit(rows(20))
    folder = world.jobs.place(job_id).folder
    assert world.send("GET", f"/api/v1/jobs/{job_id}/result")[1]["error"]["message"] == "the job is queued"
    assert world.send("DELETE", f"/api/v1/jobs/{job_id}") == (200, {"removed": job_id})
    assert not folder.exists()
    assert world.send("GET", f"/api/v1/jobs/{job_id}")[0] == 404
    assert world.send("GET", "/api/v1/jobs") == (200, {"jobs": []})


BODY = b"id,x,n,y\na,1.0,2,3.0\n"
BAD = [
    ("/api/v1/models/chrun/jobs", CSV, BODY, 404),
    ("/api/v1/models/churn/jobs?version=9", CSV, BODY, 404),
    ("/api/v1/models/churn/jobs", CSV, BODY, 404),  # there is no champion
    (f"{JOBS}&alias=champion", CSV, BODY, 400),
    (f"{JOBS}&on_bad=ignore", CSV, BODY, 400),
    (f"{JOBS}&input=/etc/passwd", CSV, BODY, 400),
    (f"{JOBS}&version=2", CSV, BODY, 400),
    (JOBS, "application/json", b'{"input": "/etc/passwd"}', 400),
    (JOBS, CSV, b"", 400),
    (JOBS, CSV, b"x" * 3_000_001, 413),
]


@pytest.mark.parametrize(("path", "kind", "body", "status"), BAD, ids=[str(at) for at in range(len(BAD))])
def test_what_cannot_be_a_job_is_refused_and_leaves_nothing(world, path, kind, body, status):
    found, told = world.send("POST", path, body=body, kind=kind)
    assert found == status, told
    assert told["error"]["message"]
    assert world.jobs.all() == []
    assert not [*(world.house.place.state / "batch_jobs").glob("*")]


@pytest.mark.parametrize(
    "job_id", ["x", "..", "%2e%2e", "0" * 32, "A" * 32, f"{'0' * 32}%2f..", "%00", "..%2f..%2fhomeostat.yaml"]
)
def test_only_ids_are_looked_for(world, job_id):
    for method, rest in (("GET", ""), ("GET", "/result"), ("GET", "/rejects"), ("DELETE", "")):
        assert world.send(method, f"/api/v1/jobs/{job_id}{rest}")[0] in (400, 404)
    assert (world.folder / "homeostat.yaml").exists()


def test_an_upload_that_broke_off_is_forgotten_and_a_full_house_says_so(world):
    broken = world.house.place.state / "batch_jobs" / ("0" * 32)
    broken.mkdir(parents=True)
    (broken / "input.csv").write_bytes(BODY)
    assert world.jobs.all() == []
    world.jobs._forget_broken_uploads()
    assert not broken.exists()
    for at in range(MOST_JOBS):
        (broken.parent / f"{at:032d}").mkdir()
    status, told = world.send("POST", JOBS, body=BODY)
    assert (status, told["error"]["code"]) == (429, "too_many_jobs")
