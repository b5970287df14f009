from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.chain import GENESIS, digest, first_bad
from homeostat.core.records.events import Event

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def chain(n: int) -> list[Event]:
    events, previous = [], GENESIS
    for seq in range(1, n + 1):
        fields = {
            "seq": seq,
            "time": NOW,
            "actor": "ann",
            "kind": "a.b",
            "subject": "s",
            "payload": {"n": seq},
            "key": None,
        }
        made = digest(previous=previous, **fields)
        events.append(Event(previous=previous, digest=made, **fields))
        previous = made
    return events


@given(st.integers(0, 20), st.data())
def test_a_whole_chain_verifies_and_so_does_each_part_after_the_one_before(n, data):
    events = chain(n)
    assert first_bad(events) is None
    if n:
        cut = data.draw(st.integers(1, n))
        assert first_bad(events[cut:], after=events[cut - 1]) is None


@given(st.integers(2, 12), st.data())
def test_the_first_change_is_the_one_that_is_named(n, data):
    events = chain(n)
    at = data.draw(st.integers(1, n))
    events[at - 1] = replace(events[at - 1], actor="bob")
    assert first_bad(events)[0] == at
    again = chain(n)
    del again[at - 1]
    found = first_bad(again)
    assert found is None if at == n else found[0] == at
