from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.retrain.situations import DAY, NOW, cycle, situation

from homeostat.core.duration import Duration
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.policy import Decision, decide
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.triggers import Firing

WORSE = Firing(trigger="performance", cause="performance:1", because="log_loss went up")
FIRST = Firing(trigger="first", cause="first:", because="no champion yet")
WEEK = RetrainSettings(cooldown=Duration(days=7))


def over(*states: CycleState, ago: timedelta = DAY) -> tuple:
    """Cycles newest first, a day apart."""
    return tuple(cycle(-i, state, ago=ago + i * DAY) for i, state in enumerate(states))


def test_retrains_when_something_fired_and_nothing_stands_against_it():
    decision = decide([WORSE], situation=situation(), running=None, policy=WEEK)
    assert (decision.kind, decision.firing, decision.because) == ("retrain", WORSE, "log_loss went up")


def test_nothing_fired_is_nothing():
    assert decide([], situation=situation(), running=None, policy=WEEK).kind == "nothing"


def test_waits_out_the_cool_down_to_the_moment():
    cycles = over(CycleState.PROMOTED, ago=3 * DAY)
    waiting = decide([WORSE], situation=situation(cycles=cycles), running=None, policy=WEEK)
    assert (waiting.kind, waiting.until) == ("wait", NOW + 4 * DAY)
    assert "cool-down lasts until 2024-03-05 12:00 UTC" in waiting.because
    there = situation(cycles=cycles, now=waiting.until)
    assert decide([WORSE], situation=there, running=None, policy=WEEK).kind == "retrain"


def test_one_cycle_at_a_time():
    running = cycle(1, CycleState.RUNNING, ago=30 * DAY)
    decision = decide([WORSE], situation=situation(cycles=(running,)), running=running, policy=WEEK)
    assert (decision.kind, decision.until) == ("wait", None)


def test_the_wait_doubles_from_the_second_cycle_in_a_row_that_brought_nothing_up_to_eight_times():
    days = []
    for n in range(6):
        cycles = over(*[CycleState.REJECTED] * n, CycleState.PROMOTED, ago=DAY)
        days.append((decide([WORSE], situation=situation(cycles=cycles), running=None, policy=WEEK).until - NOW).days)
    assert days == [6, 6, 13, 27, 55, 55]


def test_a_promotion_ends_the_longer_wait_and_a_cancelled_cycle_changes_nothing():
    cycles = over(CycleState.PROMOTED, CycleState.REJECTED, CycleState.REJECTED)
    assert decide([WORSE], situation=situation(cycles=cycles), running=None, policy=WEEK).until == NOW + 6 * DAY
    cancelled = cycle(9, CycleState.CANCELLED, ago=timedelta(hours=1), run_id=None)
    free = situation(cycles=(cancelled,))
    assert decide([WORSE], situation=free, running=None, policy=WEEK).kind == "retrain"


def test_the_first_model_ignores_the_cool_down_but_not_its_own_failures():
    none = situation(champion=None)
    assert decide([FIRST], situation=none, running=None, policy=WEEK).kind == "retrain"
    failed = situation(champion=None, cycles=over(CycleState.FAILED))
    assert decide([FIRST], situation=failed, running=None, policy=WEEK).until == NOW + 6 * DAY


def test_without_a_cool_down_failures_still_do_not_run_in_a_circle():
    failed = situation(champion=None, cycles=(cycle(1, CycleState.FAILED, ago=timedelta()),))
    eager = RetrainSettings(cooldown=Duration())
    assert decide([FIRST], situation=failed, running=None, policy=eager).until == NOW + timedelta(minutes=1)


states = st.sampled_from(list(CycleState))
pasts = st.lists(st.tuples(states, st.integers(0, 100)), max_size=8).map(
    lambda rows: tuple(
        cycle(i, state, ago=timedelta(days=ago)) for i, (state, ago) in enumerate(sorted(rows, key=lambda row: row[1]))
    )
)
fired = st.lists(st.sampled_from([WORSE, FIRST]), max_size=3)


@settings(deadline=None)
@given(cycles=pasts, firings=fired, cooldown=st.integers(0, 50), is_running=st.booleans())
def test_decisions_keep_the_rules(cycles, firings, cooldown, is_running):
    policy = RetrainSettings(cooldown=Duration(days=cooldown))
    running = cycle(99, CycleState.RUNNING, ago=DAY) if is_running else None
    seen = situation(cycles=cycles)
    decision = decide(firings, situation=seen, running=running, policy=policy)
    assert decision == decide(firings, situation=seen, running=running, policy=policy)
    assert isinstance(decision, Decision)
    assert decision.because
    if not firings:
        assert decision.kind == "nothing"
    if running:
        assert decision.kind != "retrain"
    if decision.kind == "retrain" and decision.firing.trigger != "first":
        trained = [c.started for c in cycles if c.run_id is not None]
        assert all(NOW - started >= policy.cooldown for started in trained)
    if decision.kind == "wait" and decision.until is not None:
        assert NOW < decision.until <= NOW + 8 * max(policy.cooldown, timedelta(minutes=1))
        later = situation(cycles=cycles, now=decision.until)
        assert decide(firings, situation=later, running=None, policy=policy).kind == "retrain"
