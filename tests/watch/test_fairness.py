import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.data.profile import profile
from homeostat.watch.fairness import fairness
from homeostat.watch.groups import REST, UNKNOWN, Grouped, grouped

NAMES = ("a", "b", "c")


def people(seed: int, n: int = 3_000, *, favour: float = 0.0):
    """Three groups; `favour` moves the scores of the last one."""
    rng = np.random.default_rng(seed)
    codes = rng.choice(3, n, p=[0.5, 0.3, 0.2])
    p = rng.beta(2, 2, n)
    truth = rng.random(n) < p
    score = np.clip(p + favour * (codes == 2), 0, 1)
    return Grouped(column="sex", names=NAMES, codes=codes), score > 0.5, truth, score


def gap(found, measure: str):
    return next(one for one in found.gaps if one.measure == measure)


@pytest.mark.parametrize("favour", [0.0, 0.2])
def test_the_differences_are_fairlearns(favour):
    from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference

    groups, selected, truth, score = people(1, favour=favour)
    found = fairness(groups, selected=selected, truth=truth, score=score)
    features = {"sensitive_features": groups.codes}
    assert gap(found, "demographic_parity").value == pytest.approx(
        demographic_parity_difference(truth, selected, **features)
    )
    assert gap(found, "equalised_odds").value == pytest.approx(equalized_odds_difference(truth, selected, **features))


def test_a_group_that_is_favoured_is_named_beyond_chance():
    groups, selected, truth, score = people(2, favour=0.2)
    found = fairness(groups, selected=selected, truth=truth, score=score)
    for one in found.gaps:
        assert (one.highest, one.p_value < 0.001) == ("c", True)
        assert one.low <= one.value <= one.high
    assert gap(found, "calibration").value == pytest.approx(0.18, abs=0.05)


def test_false_alarms_are_as_many_as_promised():
    from scipy.stats import binomtest

    below = {"demographic_parity": 0, "equalised_odds": 0, "calibration": 0}
    for seed in range(200):
        groups, selected, truth, score = people(100 + seed, n=900)
        for one in fairness(groups, selected=selected, truth=truth, score=score, seed=seed).gaps:
            below[one.measure] += one.p_value < 0.05
    for measure, count in below.items():
        assert binomtest(count, 200, 0.05, alternative="greater").pvalue > 0.001, (measure, count)


def test_intervals_of_rates_hold_the_true_rate_as_often_as_promised():
    inside = 0
    for seed in range(200):
        groups, selected, truth, _ = people(300 + seed, n=400)
        rate = next(one for one in fairness(groups, selected=selected, truth=truth).groups if one.name == "a").selected
        inside += rate.low <= 0.5 <= rate.high
    assert inside >= 180  # 95 % of 200, less three standard deviations


def test_small_groups_and_unknown_labels_say_nothing():
    groups, selected, truth, score = people(3, n=200)
    found = fairness(groups, selected=selected, truth=truth, score=score, least_rows=60)
    assert found.left_out == ["c"]
    assert {group.name for group in found.groups} == {"a", "b"}
    unlabelled = fairness(groups, selected=selected, score=score)
    assert [one.measure for one in unlabelled.gaps] == ["demographic_parity"]
    some = fairness(groups, selected=selected, truth=truth, known=np.arange(200) < 20, score=score)
    assert [one.measure for one in some.gaps] == ["demographic_parity"]
    assert fairness(groups, selected=selected, least_rows=500).gaps == []


def test_groups_are_the_same_in_every_window():
    frame = pl.DataFrame({"age": list(range(100)), "few": [1, 2] * 50, "c": ["x", "y"] * 50, "t": ["2026-01-01"] * 100})
    kinds = {"age": Kind.INTEGER, "few": Kind.INTEGER, "c": Kind.CATEGORY, "t": Kind.DATETIME}
    profiles = profile(frame.with_columns(pl.col("t").str.to_datetime()), kinds).columns
    ages = grouped(pl.Series("age", [0, 30, 1000, None]), profiles["age"])
    assert [ages.names[code] for code in ages.codes] == ["up to 24.75", "24.75 to 49.5", "above 74.25", UNKNOWN]
    few = grouped(pl.Series("few", [2.0, 7.0, None]), profiles["few"])
    assert [few.names[code] for code in few.codes] == ["2", REST, UNKNOWN]
    words = grouped(pl.Series("c", ["y", "new", None]), profiles["c"])
    assert [words.names[code] for code in words.codes] == ["y", REST, UNKNOWN]
    assert grouped(pl.Series("t", ["2026-01-01"]), profiles["t"]) is None
