"""Whole MLflow stores, filled by the real client, brought over and read back."""

import math
import sqlite3
from datetime import UTC, datetime

import pytest
from tests.compat.door import open_door
from tests.compat.filled import fill, trace

from homeostat.app.clock import SystemClock
from homeostat.app.import_mlflow import Importer, open_source
from homeostat.app.import_mlflow.bring import MARK
from homeostat.audit.log import verify
from homeostat.core.errors import InvalidInput, NotFound, Unreachable
from homeostat.core.queries import ExperimentQuery
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store, open_store

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture(autouse=True)
def _leave_the_client_as_it_was(monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_ASYNC_TRACE_LOGGING", "false")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """Return the path of a filled database; tests only read it."""
    folder = tmp_path_factory.mktemp("theirs")
    fill(f"sqlite:///{folder}/m.db", folder / "files")
    return folder / "m.db"


@pytest.fixture
def ours(tmp_path):
    store = open_memory_store()
    yield store, LocalBlobs(tmp_path / "blobs")
    store.close()


def bring(where, ours, **more):
    source = open_source(str(where))
    try:
        return Importer(source, store=ours[0], blobs=ours[1], clock=SystemClock(), actor="ann", **more).run()
    finally:
        source.close()


def everything(store):
    """Return all runs by name, with what belongs to them."""
    with store.read() as tx:
        found = tx.experiments.search(ExperimentQuery(stages=("active", "deleted")))
        ids = {run_id for experiment in found for run_id in tx.runs.ids(experiment.experiment_id)}
        return {experiment.name: experiment for experiment in found}, tx.runs.details(sorted(ids))


def check(ours, tally):
    store, blobs = ours
    assert tally.problems == []
    assert tally.source == tally.here
    experiments, details = everything(store)
    assert experiments["first"].tags == {"team": "a", "odd key": "é"}
    assert {name: one.lifecycle_stage for name, one in experiments.items() if name != "mine"} == {
        "Default": "active",
        "first": "active",
        "second": "active",
        "third": "deleted",
    }
    parent = next(one for one in details if one.run.name == "parent")
    assert parent.run.params == {"depth": "3", "name": "x" * 500}
    assert parent.run.tags["k"] == "v"
    assert MARK in parent.run.tags
    latest = {point.key: point.value for point in parent.latest}
    assert latest["loss"] == 1.0 / 50
    assert math.isnan(latest["odd"])
    assert (latest["big"], latest["small"]) == (math.inf, -math.inf)
    (dataset,) = parent.datasets
    assert (dataset.name, dataset.tags) == ("numbers", {"mlflow.data.context": "train"})
    assert sorted(one.run.lifecycle_stage for one in details) == ["active", "active", "deleted"]
    with store.read() as tx:
        points = tx.runs.points(parent.run.run_id, "loss")
        assert [(point.step, point.value, point.time_ms) for point in points] == [
            (step, 1.0 / (step + 1), 1_700_000_000_000 + step) for step in range(50)
        ]
        model = tx.models.model("m")
        versions = tx.models.versions("m")
        assert tx.models.aliases("m")["best"] == 1
    assert (model.description, model.tags) == ("d", {"a": "b"})
    assert [(version.version, version.tags, version.description) for version in versions] == [
        (1, {"t": "1"}, ""),
        (2, {}, "second"),
    ]
    root = f"artifacts/{parent.run.artifacts.removeprefix('mlflow-artifacts:/')}"
    assert blobs.get_bytes(f"{root}/notes/a b.txt") == b"hello"
    for version in versions:
        assert version.run_id == parent.run.run_id
        assert version.location == f"{root}/model"
        assert set(version.digests) == {"MLmodel", "weights.bin"}
    verify(store)
    return parent


def test_a_database_comes_over_whole(database, ours):
    tally = bring(database, ours)
    check(ours, tally)
    assert tally.source["metric points"] == 54


def test_a_second_time_changes_nothing(database, ours):
    bring(database, ours)
    before = everything(ours[0])
    tally = bring(f"sqlite:///{database}", ours)
    check(ours, tally)
    assert everything(ours[0]) == before


def test_experiments_keep_their_ids_where_they_are_free(database, ours):
    with ours[0].write() as tx:
        tx.experiments.create("mine", now=datetime(2026, 1, 1, tzinfo=UTC))
    check(ours, bring(database, ours))
    experiments, _ = everything(ours[0])
    assert experiments["mine"].experiment_id == "1"
    assert experiments["second"].experiment_id == "2"
    assert experiments["first"].experiment_id not in ("1", "2")


def test_what_was_interrupted_is_taken_up_again(database, ours, monkeypatch):
    real, calls = LocalBlobs.upload, []

    def failing(self, path):
        calls.append(path)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, path)

    monkeypatch.setattr(LocalBlobs, "upload", failing)
    with pytest.raises(KeyboardInterrupt):
        bring(database, ours)
    first = list(calls)
    check(ours, bring(database, ours))
    assert set(first[:2]).isdisjoint(calls[3:])


def test_a_run_that_went_on_is_brought_up_to_date(tmp_path, ours):
    uri = f"sqlite:///{tmp_path}/m.db"
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient(uri)
    experiment = client.create_experiment("e", artifact_location=str(tmp_path / "files"))
    run = client.create_run(experiment)
    client.log_metric(run.info.run_id, "a", 1.0, timestamp=1, step=1)
    assert bring(tmp_path / "m.db", ours).agrees
    client.log_metric(run.info.run_id, "a", 2.0, timestamp=2, step=2)
    client.set_terminated(run.info.run_id)
    tally = bring(tmp_path / "m.db", ours)
    assert tally.agrees
    with ours[0].read() as tx:
        assert [point.value for point in tx.runs.points(run.info.run_id, "a")] == [1.0, 2.0]
        assert tx.runs.get(run.info.run_id).status == "FINISHED"


@pytest.mark.parametrize("kind", ["database", "server"])
def test_traces_come_over_with_spans_and_assessments(tmp_path, ours, kind):
    store, blobs = ours
    if kind == "database":
        trace_id = trace(f"sqlite:///{tmp_path}/m.db")
        wanted = mlflow.get_trace(trace_id)
        tally = bring(tmp_path / "m.db", ours)
    else:
        theirs = open_store(f"sqlite:///{tmp_path}/theirs.db")
        with open_door(store=theirs, blobs=LocalBlobs(tmp_path / "theirs"), clock=SystemClock()) as address:
            trace_id = trace(address)
            wanted = mlflow.get_trace(trace_id)
            tally = bring(address, ours)
        theirs.close()
    assert tally.agrees, tally.problems
    assert (tally.source["traces"], tally.source["spans"]) == (1, 2)
    with open_door(store=store, blobs=blobs, clock=SystemClock()) as address:
        mlflow.set_tracking_uri(address)
        found = mlflow.get_trace(trace_id)
    assert [span.to_dict() for span in found.data.spans] == [span.to_dict() for span in wanted.data.spans]
    assert [one.to_dictionary() for one in found.info.assessments] == [
        one.to_dictionary() for one in wanted.info.assessments
    ]
    assert (found.info.request_time, found.info.execution_duration, found.info.state) == (
        wanted.info.request_time,
        wanted.info.execution_duration,
        wanted.info.state,
    )
    assert found.info.tags["k"] == "v"


def test_a_server_comes_over_whole(tmp_path, ours):
    theirs = open_store(f"sqlite:///{tmp_path}/theirs.db"), LocalBlobs(tmp_path / "theirs")
    with open_door(store=theirs[0], blobs=theirs[1], clock=SystemClock()) as address:
        fill(address, tmp_path, is_local=False)
        tally = bring(address, ours)
    theirs[0].close()
    check(ours, tally)


def test_a_folder_comes_over_whole(tmp_path, ours):
    root = tmp_path / "mlruns"
    fill(root.as_uri(), tmp_path / "files")
    check(ours, bring(root, ours))


def test_the_loops_own_aliases_stay_the_loops(database, ours):
    told = []
    tally = bring(database, ours, kept="m", tell=told.append)
    assert tally.agrees
    with ours[0].read() as tx:
        assert tx.models.aliases("m") == {"best": 1}
    assert any("champion" in line for line in told)


def test_files_that_cannot_be_read_are_told_and_the_count_does_not_agree(tmp_path, ours):
    uri = f"sqlite:///{tmp_path}/m.db"
    client = mlflow.MlflowClient(uri)
    run = client.create_run(client.create_experiment("e", artifact_location="hdfs://far/away"))
    client.log_param(run.info.run_id, "p", "1")
    tally = bring(tmp_path / "m.db", ours)
    assert not tally.agrees
    assert any("hdfs://" in problem for problem in tally.problems)


def test_the_source_is_only_read(database, ours):
    before = database.read_bytes()
    bring(database, ours)
    assert database.read_bytes() == before


@pytest.mark.parametrize("where", ["/nowhere/m.db", "sqlite:////nowhere/m.db"])
def test_a_store_that_is_not_there_is_said(where):
    with pytest.raises(NotFound, match="nowhere"):
        open_source(where)


def test_something_else_is_said_to_be_something_else(tmp_path):
    (tmp_path / "text.db").write_text("not a database, but long enough to be looked at as if it were one")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE a (b)").connection.close()
    (tmp_path / "folder").mkdir()
    for where in ("text.db", "other.db", "folder"):
        with pytest.raises(InvalidInput):
            open_source(str(tmp_path / where))
    with pytest.raises(InvalidInput, match="postgresql"):
        open_source("postgresql://host/db")


def test_a_server_that_is_not_there_is_unreachable(ours):
    with pytest.raises(Unreachable):
        bring("http://127.0.0.1:9", ours)
