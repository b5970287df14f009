"""Nothing is trained without a sign, nor beyond the budget; after a sign, again as the rows since the change grow."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.retrain.renewal import State, Terms, renew
from homeostat.watch.change import Change

QUIET = Change(p_value=1.0, what="", rows=0)
SIGN = Change(p_value=1e-9, what="price", rows=100)
BATCH, WINDOW = 100, 1000


def replayed(changes, terms=None, state=None):
    terms = terms or Terms()
    state = state or State(trained_rows=WINDOW)
    decisions = []
    for at, change in enumerate(changes, start=1):
        state, decision = renew(state, terms, change, rows=WINDOW + at * BATCH, window=WINDOW)
        decisions.append(decision)
    return decisions


def test_nothing_is_trained_without_a_sign():
    assert not any(decision.rows for decision in replayed([QUIET] * 500))


def test_a_sign_trains_at_once_on_the_newest_window():
    (decision,) = replayed([SIGN])
    assert decision.rows == WINDOW
    assert decision.because == "change in price"


def test_after_a_sign_it_trains_again_each_time_the_rows_since_have_doubled():
    trained = [at for at, decision in enumerate(replayed([SIGN] + [QUIET] * 60)) if decision.rows]
    assert trained[0] == 0
    since = [100 * (at + 1) for at in trained]  # rows since the change
    assert all(later >= 2 * earlier for earlier, later in pairwise(since))
    assert since[-1] < 2 * 2 * WINDOW * 2  # it ends


def test_rows_since_the_change_are_trained_on_when_they_fill_a_window():
    sizes = [decision.rows for decision in replayed([SIGN] + [QUIET] * 60) if decision.rows]
    assert sizes[0] == WINDOW
    assert sizes[-1] > WINDOW
    assert max(sizes) <= 2 * WINDOW


@settings(deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=300))
def test_the_budget_is_never_exceeded(signs):
    terms = Terms()
    decisions = replayed([SIGN if sign else QUIET for sign in signs], terms)
    for start in range(len(decisions)):
        spent = 0
        for length, decision in enumerate(decisions[start:], start=1):
            spent += decision.rows > 0
            assert spent <= terms.saved + terms.budget * length + 1e-9


def test_a_used_up_budget_is_said_and_the_sign_is_kept():
    state = State(trained_rows=WINDOW, tokens=0.0)
    decisions = replayed([SIGN] + [QUIET] * 6, state=state)
    assert "used up" in decisions[0].because
    assert decisions[-1].because == "change in an earlier batch" or any(d.rows for d in decisions)


def test_a_state_is_not_changed_in_place():
    state = State(trained_rows=WINDOW)
    renew(state, Terms(), SIGN, rows=WINDOW + BATCH, window=WINDOW)
    assert state == State(trained_rows=WINDOW)


@pytest.mark.parametrize("wrong", [{"budget": 0.0}, {"saved": 0.5}, {"level": 1.0}, {"growth": 1.0}, {"pause": 0}])
def test_terms_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="no "):
        replace(Terms(), **wrong)
