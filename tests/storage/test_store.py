import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from sqlalchemy import create_engine, inspect

from homeostat.audit.log import record, verify
from homeostat.core.errors import Conflict, InvalidInput, NotFound, Unreachable
from homeostat.core.records.tracking import Metric, Run, RunStatus
from homeostat.storage.sql import store as module
from homeostat.storage.sql.migrate import HEAD, current, upgrade
from homeostat.storage.sql.schema import metadata
from homeostat.storage.sql.store import SqlStore, open_memory_store, open_store

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def a_run(tx, run_id="a" * 32) -> Run:
    experiment = tx.runs.experiment("flights", now=NOW)
    return Run(run_id=run_id, experiment_id=experiment, name="r", status=RunStatus.RUNNING, started=NOW)


def test_migrations_make_the_schema_that_the_code_expects(database, request, tmp_path):
    created = open_store(database)
    is_sqlite = created.engine.dialect.name == "sqlite"
    url = f"sqlite:///{tmp_path}/migrated.db" if is_sqlite else request.getfixturevalue("postgres").fresh()
    migrated = create_engine(url, isolation_level="AUTOCOMMIT")
    upgrade(migrated)
    assert current(migrated) == current(created.engine) == HEAD
    ours, theirs = inspect(migrated), inspect(created.engine)
    assert set(ours.get_table_names()) == set(theirs.get_table_names()) == {*metadata.tables, "alembic_version"}
    for table in metadata.tables:
        wanted = {c["name"]: (str(c["type"]), c["nullable"]) for c in theirs.get_columns(table)}
        assert {c["name"]: (str(c["type"]), c["nullable"]) for c in ours.get_columns(table)} == wanted
        assert {i["name"] for i in ours.get_indexes(table)} == {i["name"] for i in theirs.get_indexes(table)}
        assert ours.get_pk_constraint(table) == theirs.get_pk_constraint(table)
    created.close()
    migrated.dispose()


def test_a_failed_transaction_leaves_neither_state_nor_event(store: SqlStore):
    with pytest.raises(RuntimeError), store.write() as tx:  # noqa: PT012 - the block is the transaction
        tx.runs.create(a_run(tx))
        record(tx, "run.started", subject="run:a", actor="me", time=NOW)
        raise RuntimeError
    with store.read() as tx:
        assert tx.runs.recent() == []
        assert tx.audit.last() is None


def test_a_process_that_sleeps_in_a_change_does_not_hold_up_the_others(postgres, monkeypatch):
    """As where a machine is stopped, or cut off, in the midst of it: PostgreSQL's writers queue for one lock."""
    begin = module._BEGIN_ALONE.replace(str(module._ASLEEP_MS), "200")
    assert begin != module._BEGIN_ALONE
    monkeypatch.setattr(module, "_BEGIN_ALONE", begin)
    url = postgres.fresh()
    asleep, awake = open_store(url), open_store(url)
    with pytest.raises(Unreachable, match="idle-in-transaction"), asleep.write() as tx:  # noqa: PT012 - the block is the transaction
        tx.watch.set_state("who", {"name": "asleep"})
        with awake.write() as other:
            other.watch.set_state("who", {"name": "awake"})
        tx.watch.set_state("who", {"name": "asleep"})
    with asleep.read() as tx:
        assert tx.watch.get_state("who") == {"name": "awake"}
    with asleep.write() as tx:
        tx.watch.set_state("who", {"name": "asleep no more"})
    for each in (asleep, awake):
        each.close()


def test_reading_cannot_write(store: SqlStore):
    with pytest.raises(Exception, match=r"readonly|read-only|ReadOnly"), store.read() as tx:
        record(tx, "run.started", subject="run:a", actor="me", time=NOW)
    with store.write() as tx:
        record(tx, "run.started", subject="run:a", actor="me", time=NOW)
    assert verify(store) == 1


def test_a_run_reads_back_as_written_with_the_newest_metrics(store: SqlStore):
    with store.write() as tx:
        run = a_run(tx)
        tx.runs.create(run)
        tx.runs.log_params(run.run_id, {"depth": "3"})
        tx.runs.log_metrics(
            run.run_id,
            [
                Metric(key="loss", value=0.5, time=NOW, step=1),
                Metric(key="loss", value=float("nan"), time=NOW, step=0),
                Metric(key="top", value=float("inf"), time=NOW),
            ],
        )
    with store.read() as tx:
        found = tx.runs.get("a" * 32)
        assert found.started == NOW
        assert found.params == {"depth": "3"}
        assert found.metrics == {"loss": 0.5, "top": float("inf")}
        assert len(tx.runs.history(run.run_id, "loss")) == 2
        assert tx.runs.get("aaaaaa") == found
        with pytest.raises(NotFound):
            tx.runs.get("b" * 32)


def test_params_are_immutable(store: SqlStore):
    with store.write() as tx:
        run = a_run(tx)
        tx.runs.create(run)
        tx.runs.log_params(run.run_id, {"depth": "3"})
        tx.runs.log_params(run.run_id, {"depth": "3", "trees": "9"})
        with pytest.raises(Conflict, match="depth"):
            tx.runs.log_params(run.run_id, {"depth": "4"})


def test_threads_that_write_at_once_queue_and_the_chain_holds(database):
    store = open_store(database)

    def work(who: int) -> None:
        for i in range(20):
            with store.write() as tx:
                record(tx, "thing.done", subject="thing:1", actor=f"worker-{who}", time=NOW, payload={"i": i})

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verify(store) == 80
    store.close()


def test_a_file_that_is_no_database_is_told(tmp_path):
    (tmp_path / "x.db").write_text("this is a text about databases, not one of them")
    with pytest.raises(Unreachable, match=r"x\.db does not answer: file is not a database"):
        open_store(f"sqlite:///{tmp_path / 'x.db'}")


def test_a_database_that_another_holds_is_told_and_nothing_is_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr("homeostat.storage.sql.store._BUSY_S", 0.05)
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unreachable, match="database is locked"), store.write() as tx:
        tx.watch.set_state("a", {"b": 1})
    other.execute("ROLLBACK")
    other.close()
    with store.write() as tx:
        assert tx.watch.get_state("a") is None
        tx.watch.set_state("a", {"b": 2})
    store.close()


def test_a_full_disk_is_told_and_the_next_write_goes_through(tmp_path):
    store = open_store(f"sqlite:///{tmp_path / 'x.db'}")

    def most_pages(n):
        with store.write() as tx:  # the limit is the connection's, and the writer keeps its own
            tx._connection.exec_driver_sql(f"PRAGMA max_page_count = {n}")

    most_pages(1)  # at least what there is
    with pytest.raises(Unreachable, match="full"), store.write() as tx:  # noqa: PT012 - the second fails, the first must go with it
        tx.watch.set_state("small", {})
        tx.watch.set_state("big", {"x": "y" * 1_000_000})
    most_pages(1_000_000)
    with store.write() as tx:
        assert tx.watch.get_state("small") is None
        tx.watch.set_state("big", {"x": "y" * 1_000_000})
    store.close()


def test_stores_that_open_an_empty_database_at_once_agree_on_who_makes_the_tables(database):
    opened, failures = [], []

    def work() -> None:
        try:
            opened.append(open_store(database))
        except Exception as error:  # noqa: BLE001 - the test's finding, whatever it is
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {current(one.engine) for one in opened} == {HEAD}
    for one in opened:
        one.close()


def test_what_no_database_can_keep_is_refused_and_leaves_nothing(database):
    store = open_store(database)
    if store.engine.dialect.name == "sqlite":
        pytest.skip("SQLite keeps NUL characters in texts")
    with pytest.raises(InvalidInput, match="NUL"), store.write() as tx:
        record(tx, "run.started", subject="run:a\0b", actor="me", time=NOW)
    assert verify(store) == 0
    store.close()


def test_processes_that_open_an_empty_database_at_once_queue(database):
    program = f"from homeostat.storage.sql.store import open_store; open_store({database!r}).close()"
    processes = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]


def test_states_are_asked_for_as_texts(monkeypatch):
    """Of any other type SQLAlchemy asks the ORM, which breaks while another thread imports it: the workflows' start does."""
    from sqlalchemy.sql import sqltypes

    def broken(value, _raise_error):
        raise AttributeError(f"the ORM is only half imported: {value!r}")

    monkeypatch.setattr(sqltypes, "inspection", SimpleNamespace(inspect=broken))
    store = open_memory_store()
    with store.write() as tx:
        assert tx.cycles.running("m") is None
        assert tx.webhooks.due(now=NOW) == []
        assert tx.webhooks.forget_deliveries(before=NOW) == 0
    store.close()
