"""What one look of the loop does before there is a champion, and which labels are evidence."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from homeostat.app.project import load
from homeostat.audit.log import record
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.registry import GateReport, ModelVersion
from homeostat.registry.routing import promote
from homeostat.retrain.tick import decide_and_ask
from homeostat.storage.records import FileRecords
from homeostat.storage.sql.store import open_memory_store

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def store():
    opened = open_memory_store()
    yield opened
    opened.close()


def trained(store, *, passed: bool) -> None:
    """Leave in the store what `homeostat train` leaves: a version, its report, the alias challenger."""
    with store.write() as tx:
        tx.models.add_report(
            GateReport(report_id="r1", model="shop", run_id="run1", created=NOW, passed=passed, body={})
        )
        tx.models.add(
            ModelVersion(
                model="shop",
                version=1,
                run_id="run1",
                created=NOW,
                location="runs/1/model",
                digests={},
                signature={"task": "binary", "target": "y", "columns": [], "classes": [0, 1]},
                lineage={},
                report_id="r1",
            )
        )
        tx.models.set_alias("shop", "challenger", 1)


def look(store, folder, retrain: str = "{}"):
    """Return (decision, cycle, champion) of a look."""
    (folder / "homeostat.yaml").write_text(
        f"model: shop\ntask: binary\ndata: {{source: rows.csv, target: y}}\nretrain: {retrain}\n"
    )
    project = load(folder / "homeostat.yaml").project
    records = FileRecords(folder / "records", writer_id="test")
    decision, cycle = decide_and_ask(store=store, records=records, project=project, now=NOW, loop_now=NOW)
    with store.read() as tx:
        return decision, cycle, tx.models.alias("shop", "champion")


def test_without_any_version_the_first_is_trained(store, tmp_path):
    _, cycle, champion = look(store, tmp_path)
    assert (cycle.trigger, champion) == ("first", None)


def test_a_version_trained_by_hand_that_passed_is_promoted_and_none_is_trained(store, tmp_path):
    trained(store, passed=True)
    decision, cycle, champion = look(store, tmp_path)
    assert (decision.kind, cycle, champion) == ("nothing", None, 1)
    assert "version 1 had passed the gate" in decision.because
    with store.read() as tx:
        assert [event.kind for event in tx.audit.events()] == ["alias.moved"]
        assert tx.routes.get("shop").champion == 1
    assert look(store, tmp_path)[1] is None


def test_one_that_did_not_pass_is_not(store, tmp_path):
    trained(store, passed=False)
    _, cycle, champion = look(store, tmp_path)
    assert (cycle.trigger, champion) == ("first", None)


def test_where_a_person_must_approve_nothing_is_promoted_unasked(store, tmp_path):
    trained(store, passed=True)
    _, cycle, champion = look(store, tmp_path, "{approval: true}")
    assert (cycle.trigger, champion) == ("first", None)


def test_one_that_a_cycle_took_back_is_not_put_to_work_again(store, tmp_path):
    trained(store, passed=True)
    with store.write() as tx:
        tx.cycles.put(
            Cycle(
                cycle_id="c1",
                model="shop",
                trigger="first",
                because="x",
                started=NOW,
                state=CycleState.FAILED,
                version=1,
                options={"loop_time": "2025-12-01T00:00:00+00:00"},
            )
        )
    _, cycle, champion = look(store, tmp_path)
    assert (cycle.trigger, champion) == ("first", None)


class Asked:
    """A model with a champion that has answered 30 requests; `look` is what the loop decides, `labels` sends some."""

    def __init__(self, store, folder):
        self.store = store
        (folder / "homeostat.yaml").write_text(
            "model: shop\ntask: binary\ndata: {source: rows.csv, target: y}\nretrain: {triggers: {new_rows: 10}}\n"
        )
        self.project = load(folder / "homeostat.yaml").project
        self.records = FileRecords(folder / "records", writer_id="test")
        trained(store, passed=True)
        promote(store=store, model="shop", version=1, actor="ann", now=NOW)
        rows = [{"model": "shop", "request_id": f"r{n}", "row": 0, "received": NOW, "version": 1} for n in range(30)]
        answered = {"route": "champion", "status": "ok", "latency_ms": 1.0, "features": "{}", "prediction": 1}
        self.records.write("predictions", [{**row, **answered} for row in rows])

    def labels(self, *ids, value=1):
        self.records.write(
            "labels",
            [
                {"model": "shop", "request_id": one, "row": 0, "value": value, "received": NOW, "label_id": uuid4().hex}
                for one in ids
            ],
        )

    def look(self):
        decision, _ = decide_and_ask(
            store=self.store,
            records=self.records,
            project=self.project,
            now=NOW + timedelta(seconds=1),
            loop_now=NOW + timedelta(seconds=1),
        )
        return decision.kind, None if decision.firing is None else decision.firing.trigger


@pytest.fixture
def asked(store, tmp_path):
    return Asked(store, tmp_path)


def test_labels_of_no_answered_row_are_no_new_rows(asked):
    asked.labels(*(f"unknown{n}" for n in range(100)))
    asked.labels(*(["r1"] * 20))  # one row, corrected again and again
    asked.labels(*(f"r{n}" for n in range(10, 30)), value="no class")
    assert asked.look() == ("nothing", None)
    asked.labels(*(f"r{n}" for n in range(9)))
    assert asked.look() == ("nothing", None)
    asked.labels("r9")
    assert asked.look() == ("retrain", "new_rows")


def test_labels_of_no_answered_row_do_not_keep_drift_from_being_a_reason(asked):
    with asked.store.write() as tx:
        record(
            tx,
            "drift.detected",
            subject="model:shop",
            actor="homeostat",
            time=NOW,
            payload={"version": 1, "summary": "a moved"},
        )
    asked.labels("unknown")
    assert asked.look() == ("retrain", "drift")


def test_labels_of_answered_rows_do(asked):
    with asked.store.write() as tx:
        record(tx, "drift.detected", subject="model:shop", actor="homeostat", time=NOW, payload={"version": 1})
    asked.labels("r1")
    assert asked.look() == ("nothing", None)
