"""A column that always differs from the held-out rows is no news; one that differs more than it did is."""

import pytest

from homeostat.watch.method import Measured
from homeostat.watch.methods import method
from homeostat.watch.settings import DriftSettings, WatchSettings
from homeostat.watch.verdict import Past, drift_of, judge


def state_of(effect: float, before: list[float], *, column="x", method_name="wasserstein", answers=None):
    found = drift_of(
        "x", method("wasserstein"), Measured(effect=effect, p_value=1e-9), rows=1_000, settings=DriftSettings()
    )
    verdict = judge(
        performance=None,
        decay=None,
        columns=[found],
        predictions=[],
        quality=None,
        settings=WatchSettings(),
        labels_come=False,
        past=Past(columns={column: {method_name: before}}, predictions=answers or {}),
    )
    return verdict.columns[0].state


@pytest.mark.parametrize(
    ("effect", "before", "state"),
    [
        (0.4, [], "alarm"),
        (0.4, [0.5] * 19, "alarm"),
        (0.4, [0.5] * 20, "ok"),
        (0.6, [0.5] * 20, "alarm"),
        (0.4, [0.1] * 20 + [0.5] * 50, "alarm"),
        (0.05, [0.01] * 20, "ok"),
        (0.15, [0.01] * 20, "warn"),
    ],
    ids=[
        "no past",
        "too few",
        "usual",
        "more than usual",
        "later windows do not count",
        "below the limit",
        "a warning",
    ],
)
def test_the_first_twenty_windows_say_what_is_usual(effect, before, state):
    assert state_of(effect, before) == state


def test_the_past_of_other_columns_and_methods_does_not_count():
    assert state_of(0.4, [0.5] * 20, column="y") == "alarm"
    assert state_of(0.4, [0.5] * 20, method_name="ks") == "alarm"


def test_the_past_of_an_answer_of_the_same_name_does_not_count():
    """A feature may be called `score` or `prediction`, as what is watched of the answers is."""
    always = {"x": {"wasserstein": [0.5] * 20}}
    assert state_of(0.4, [], answers=always) == "alarm"
    assert state_of(0.4, [0.1] * 20, answers=always) == "alarm"


def test_the_limit_is_the_99th_percentile():
    before = [k / 100 for k in range(20)] + [0.9]
    found = state_of(0.1899, before), state_of(0.1899 + 0.001, before)
    assert found == ("warn", "warn")
    assert state_of(0.185, before) == "ok"
