"""What one look of the loop does before there is a champion."""

from datetime import UTC, datetime

import pytest

from homeostat.app.project import load
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.core.records.registry import GateReport, ModelVersion
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
                signature={"task": "binary", "target": "y"},
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
