import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.app.gc import collect
from homeostat.audit.log import verify
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.queries import ExperimentQuery
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.tracking import InputDataset, LoggedModel, Point, Run, RunStatus
from homeostat.core.traces import PLACE_TAG, Trace, TraceState
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store, open_store
from homeostat.track.artifacts import blob_at
from homeostat.track.traces import place_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATER = NOW + timedelta(days=40)
MONTH = timedelta(days=30)


class World:
    def __init__(self, folder, store):
        self.store = store
        self.blobs = LocalBlobs(folder / "blobs")
        with self.store.write() as tx:
            self.experiment = tx.experiments.create("e", now=NOW)

    def run(self, letter, experiment=None, *, is_own=False) -> str:
        run_id = letter * 32
        where = experiment or self.experiment
        artifacts = f"runs/{run_id}" if is_own else f"mlflow-artifacts:/{where}/{run_id}/artifacts"
        with self.store.write() as tx:
            tx.runs.create(
                Run(
                    run_id=run_id,
                    experiment_id=where,
                    name="r",
                    status=RunStatus.FINISHED,
                    started=NOW,
                    artifacts=artifacts,
                    params={"p": "1"},
                    tags={"t": "1"},
                )
            )
            tx.runs.log_points(run_id, where, [Point("m", 1.0, 1), Point("m", 2.0, 2)])
            tx.runs.log_inputs(run_id, where, [InputDataset(name="d", digest=letter, source_type="s", source="s")])
        self.blobs.put_bytes(f"{blob_at(artifacts)}/model/file", b"12345")
        return run_id

    def logged_model(self, letter) -> str:
        model_id = f"m-{letter * 32}"
        blob = f"artifacts/{self.experiment}/models/{model_id}/artifacts"
        with self.store.write() as tx:
            tx.logged_models.add(
                LoggedModel(
                    model_id=model_id,
                    experiment_id=self.experiment,
                    name="m",
                    created=NOW,
                    updated=NOW,
                    artifacts=blob,
                    params={"p": "1"},
                    tags={"t": "1"},
                )
            )
        self.blobs.put_bytes(f"{blob}/MLmodel", b"123")
        return model_id

    def trace(self, name, experiment=None) -> str:
        where = experiment or self.experiment
        place = place_of(where, name)
        with self.store.write() as tx:
            tx.traces.put(
                Trace(trace_id=name, experiment_id=where, state=TraceState.OK, started=NOW, tags={PLACE_TAG: place})
            )
        self.blobs.put_bytes(f"{blob_at(place)}/traces.json", b"1")
        return name

    def register(self, run_id, location, version=1) -> None:
        with self.store.write() as tx:
            tx.models.add(
                ModelVersion(
                    model="m",
                    version=version,
                    run_id=run_id,
                    created=NOW,
                    location=location,
                    digests={},
                    signature={},
                    lineage={},
                )
            )

    def delete_run(self, run_id, now=NOW) -> None:
        with self.store.write() as tx:
            tx.runs.set_stage([run_id], "deleted", now=now)

    def collect(self, *, older_than=MONTH, dry_run=False, now=LATER):
        return collect(store=self.store, blobs=self.blobs, actor="ann", now=now, older_than=older_than, dry_run=dry_run)

    def rows(self) -> dict[str, int]:
        from sqlalchemy import func, select

        from homeostat.storage.sql.schema import metadata

        with self.store.engine.connect() as connection:
            return {
                table.name: connection.scalar(select(func.count()).select_from(table))
                for table in metadata.sorted_tables
            }


@pytest.fixture(params=["memory", "postgres"])
def world(tmp_path, request):
    store = (
        open_memory_store() if request.param == "memory" else open_store(request.getfixturevalue("postgres").fresh())
    )
    made = World(tmp_path, store)
    yield made
    made.store.close()


def test_a_deleted_run_goes_with_all_that_is_its_own_and_nothing_else(world):
    kept = world.run("a")
    before = world.rows()
    gone = world.run("b")
    world.delete_run(gone)
    freed = world.collect()
    assert (freed.runs, freed.files, freed.size_bytes) == ([gone], 1, 5)
    after = world.rows()
    assert {name for name in after if after[name] != before[name]} == {"audit_events", "states"}
    assert world.blobs.exists(f"artifacts/{world.experiment}/{kept}/artifacts/model/file")
    assert not world.blobs.exists(f"artifacts/{world.experiment}/{gone}")
    with world.store.read() as tx:
        assert [point.value for point in tx.runs.points(kept, "m")] == [1.0, 2.0]
        with pytest.raises(NotFound):
            tx.runs.get(gone)
    verify(world.store)


def test_what_was_deleted_lately_stays(world):
    run_id = world.run("a")
    world.delete_run(run_id, now=LATER - timedelta(days=29))
    assert world.collect().runs == []
    assert world.collect(older_than=timedelta()).runs == [run_id]


def test_a_dry_run_says_the_same_and_changes_nothing(world):
    world.delete_run(world.run("a"))
    world.run("b")
    world.blobs.put_bytes(f"artifacts/{world.experiment}/{'c' * 32}/artifacts/orphan", b"1")
    before = world.rows()
    planned = world.collect(dry_run=True)
    assert world.rows() == before
    assert world.blobs.exists(f"artifacts/{world.experiment}/{'a' * 32}/artifacts/model/file")
    done = world.collect()
    assert planned == done
    assert done.files == 2


def test_a_second_time_finds_nothing(world):
    world.delete_run(world.run("a"))
    world.collect()
    again = world.collect()
    assert (again.runs, again.blobs) == ([], [])


def test_files_without_a_name_go_and_other_files_of_clients_stay(world):
    world.run("a")
    orphans = [
        f"artifacts/{world.experiment}/{'b' * 32}",
        f"artifacts/{world.experiment}/models/m-{'c' * 32}",
        f"artifacts/{world.experiment}/traces/tr-1",
        f"artifacts/77/{'d' * 32}",
        f"runs/{'e' * 32}",
        "artifacts/imported/m/3",
    ]
    others = [
        f"artifacts/{world.experiment}/notes",
        "artifacts/shared/x",
        f"artifacts/shared/{'a' * 32}",
        "artifacts/top",
    ]
    for path in (*orphans, *others):
        world.blobs.put_bytes(f"{path}/f", b"1")
    freed = world.collect()
    assert sorted(freed.blobs) == sorted(orphans)
    for path in others:
        assert world.blobs.exists(f"{path}/f")


def test_what_exists_keeps_its_files(world):
    world.run("a")
    world.run("b", is_own=True)
    world.logged_model("c")
    world.trace("tr-1")
    world.blobs.put_bytes("artifacts/imported/m/1/MLmodel", b"1")
    world.register("", "artifacts/imported/m/1")
    freed = world.collect(older_than=timedelta())
    assert freed.blobs == []


def test_what_a_registered_version_is_made_of_stays(world):
    run_id, model_id = world.run("a"), world.logged_model("b")
    world.register(run_id, f"artifacts/{world.experiment}/{run_id}/artifacts/model")
    world.register(run_id, f"artifacts/{world.experiment}/models/{model_id}/artifacts", version=2)
    world.delete_run(run_id)
    with world.store.write() as tx:
        tx.logged_models.update(replace(tx.logged_models.get(model_id), lifecycle_stage="deleted"))
        tx.experiments.set_stage(world.experiment, "deleted", now=NOW)
    freed = world.collect()
    assert (freed.runs, freed.logged_models, freed.experiments, freed.blobs) == ([], [], [], [])
    assert [line.partition(":")[0] for line in freed.kept] == [
        f"run {run_id}",
        f"logged model {model_id}",
        f"experiment {world.experiment}",
    ]
    with world.store.write() as tx:
        tx.models.delete("m", 1, now=NOW)
        tx.models.delete("m", 2, now=NOW)
    freed = world.collect()
    assert (freed.runs, freed.logged_models, freed.experiments) == ([run_id], [model_id], [world.experiment])
    assert not world.blobs.exists(f"artifacts/{world.experiment}/{run_id}")
    with world.store.read() as tx:
        assert tx.models.next_version("m") == 3


def test_a_deleted_experiment_goes_with_all_that_is_in_it(world):
    with world.store.write() as tx:
        other = tx.experiments.create("other", now=NOW, tags={"a": "b"})
    run_id = world.run("a", other)
    world.trace("tr-1", other)
    world.trace("tr-2")
    with world.store.write() as tx:
        tx.experiments.set_stage(other, "deleted", now=NOW)
        tx.runs.set_stage([run_id], "deleted", now=NOW)
    planned = world.collect(dry_run=True)
    freed = world.collect()
    assert planned == freed
    assert (freed.experiments, freed.runs, freed.traces, freed.files) == ([other], [run_id], 1, 2)
    with world.store.read() as tx:
        names = [each.name for each in tx.experiments.search(ExperimentQuery(stages=("active", "deleted")))]
        assert "other" not in names
        assert tx.traces.find("tr-2") is not None
    assert world.blobs.exists(f"artifacts/{world.experiment}/traces/tr-2/artifacts/traces.json")


def test_the_default_experiment_is_never_freed(world):
    with world.store.write() as tx:
        tx.experiments.set_stage("0", "deleted", now=NOW)
    freed = world.collect()
    assert freed.experiments == []
    assert len(freed.kept) == 1


def test_an_experiment_with_a_place_of_its_own_is_cleaned_too(world):
    with world.store.write() as tx:
        other = tx.experiments.create("other", artifacts="mlflow-artifacts:/my/place", now=NOW)
    orphan = f"artifacts/my/place/{'b' * 32}"
    world.blobs.put_bytes(f"{orphan}/artifacts/x", b"1")
    world.blobs.put_bytes("artifacts/my/place/other/x", b"1")
    assert world.collect().blobs == [orphan]
    assert other


def test_an_upload_in_parts_goes_when_nobody_went_on_with_it_for_a_day(world):
    world.blobs.put_bytes("uploads/abc/upload.json", b"{}")
    world.blobs.put_bytes("uploads/abc/1", b"12345")
    world.blobs.put_bytes("uploads/def/upload.json", b"{}")
    world.blobs.put_bytes("uploads/def/1", b"1")
    now = datetime.now(UTC)
    assert world.collect(older_than=timedelta(), now=now + timedelta(hours=23)).unfinished == []
    two_days_ago = (now - timedelta(days=2)).timestamp()
    for name in ("abc/upload.json", "abc/1", "def/upload.json"):  # def had a part just now
        os.utime(world.blobs.root / "uploads" / name, (two_days_ago, two_days_ago))
    planned = world.collect(older_than=timedelta(), now=now, dry_run=True)
    assert world.blobs.exists("uploads/abc")
    assert (planned.unfinished, planned.files, planned.size_bytes) == (["uploads/abc"], 2, 7)
    assert world.collect(older_than=timedelta(), now=now) == planned
    assert [entry.name for entry in world.blobs.entries("uploads")] == ["def"]
    assert world.collect(older_than=timedelta(), now=now + timedelta(days=2)).unfinished == ["uploads/def"]


WRITER = """
import sys, time
from pathlib import Path
from homeostat.storage.blobs import LocalBlobs

blobs = LocalBlobs(Path(sys.argv[1]))
with blobs.upload("artifacts/0/half") as file:
    file.write(b"12345")
    print("writing", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_upload_left_goes_and_nothing_of_one_under_way(world):
    command = [sys.executable, "-c", WRITER, str(world.blobs.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"writing\n"
        killed.kill()
    later = datetime.now(UTC) + timedelta(days=2)
    with world.blobs.upload("artifacts/0/whole") as file:  # has had nothing for two days, and is under way all the same
        file.write(b"123")
        planned = world.collect(older_than=timedelta(), now=later, dry_run=True)
        assert len(planned.unfinished) == 1
        assert (planned.files, planned.size_bytes) == (1, 5)
        assert world.collect(older_than=timedelta(), now=datetime.now(UTC)).unfinished == []
        assert world.collect(older_than=timedelta(), now=later) == planned
        assert world.collect(older_than=timedelta(), now=later).unfinished == []
    assert world.blobs.get_bytes("artifacts/0/whole") == b"123"
    assert not world.blobs.exists("artifacts/0/half")
    assert list((world.blobs.root / ".staging").iterdir()) == []
    with world.store.read() as tx:
        assert [event.payload["files"] for event in tx.audit.events() if event.kind == "blobs.freed"] == [1]


def test_what_was_left_of_a_tree_goes_too(world):
    left = world.blobs.root / ".staging" / ("a" * 32) / "inner"
    left.mkdir(parents=True)
    (left / "file").write_bytes(b"123")
    freed = world.collect(older_than=timedelta(), now=datetime.now(UTC) + timedelta(days=2))
    assert (len(freed.unfinished), freed.size_bytes >= 3) == (1, True)
    assert list((world.blobs.root / ".staging").iterdir()) == []


def test_a_time_to_come_is_refused(world):
    with pytest.raises(InvalidInput):
        world.collect(older_than=timedelta(days=-1))


def test_the_audit_log_says_what_went(world):
    run_id = world.run("a")
    world.delete_run(run_id)
    world.collect()
    with world.store.read() as tx:
        events = {event.kind: event.payload for event in tx.audit.events()}
    assert events["runs.freed"] == {"ids": [run_id]}
    assert events["blobs.freed"] == {"blobs": 1, "files": 1, "bytes": 5}
