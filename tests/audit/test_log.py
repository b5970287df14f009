from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from homeostat.audit.log import record, verify
from homeostat.core.errors import AuditBroken
from homeostat.storage.sql.store import SqlStore, open_memory_store

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def chain_of(n: int) -> SqlStore:
    store = open_memory_store()
    with store.write() as tx:
        for i in range(n):
            record(
                tx, "thing.done", subject=f"thing:{i}", actor="ann", time=NOW + timedelta(seconds=i), payload={"i": i}
            )
    return store


def tamper(store: SqlStore, *statements: str) -> None:
    with store.engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_key_used_again_leaves_one_event():
    store = chain_of(0)
    with store.write() as tx:
        first = record(tx, "alias.moved", subject="m", actor="ann", time=NOW, key="cycle-1:promote")
    with store.write() as tx:
        assert record(tx, "alias.moved", subject="m", actor="ann", time=NOW, key="cycle-1:promote") == first
    assert verify(store) == 1


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(1, 8),
    column=st.sampled_from(["actor", "kind", "subject", "payload", "time", "digest", "previous"]),
)
def test_any_changed_field_is_named(at, column):
    store = chain_of(8)
    new = "time + 1" if column == "time" else "'{\"i\":99}'" if column == "payload" else f"{column} || 'x'"
    tamper(store, f"UPDATE audit_events SET {column} = {new} WHERE seq = {at}")
    with pytest.raises(AuditBroken, match=f"at entry {at}:"):
        verify(store)


@settings(max_examples=20, deadline=None)
@given(at=st.integers(1, 8))
def test_a_removed_row_is_named_even_the_last(at):
    store = chain_of(8)
    tamper(store, f"DELETE FROM audit_events WHERE seq = {at}")
    with pytest.raises(AuditBroken, match=f"at entry {at}:"):
        verify(store)


@settings(max_examples=20, deadline=None)
@given(pair=st.lists(st.integers(1, 8), min_size=2, max_size=2, unique=True))
def test_swapped_rows_are_named(pair):
    store = chain_of(8)
    a, b = sorted(pair)
    tamper(
        store,
        f"UPDATE audit_events SET seq = 100 WHERE seq = {a}",
        f"UPDATE audit_events SET seq = {a} WHERE seq = {b}",
        f"UPDATE audit_events SET seq = {b} WHERE seq = 100",
    )
    with pytest.raises(AuditBroken, match=f"at entry {a}:"):
        verify(store)


def test_one_changed_byte_of_a_payload_is_found():
    store = chain_of(3)
    with store.engine.connect() as connection:
        found = connection.execute(text("SELECT payload FROM audit_events WHERE seq = 2")).scalar_one()
        connection.exec_driver_sql("UPDATE audit_events SET payload = ? WHERE seq = 2", (found.replace("1", "2"),))
    with pytest.raises(AuditBroken, match=r"at entry 2: entry 2 .thing\.done. was changed"):
        verify(store)
