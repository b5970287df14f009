import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Kind, Task
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import baseline_of
from homeostat.watch.diagnosis import diagnosed
from homeostat.watch.observe import observe
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import DriftSettings, GroupSettings, WatchSettings

KINDS = {"region": Kind.CATEGORY, "plan": Kind.CATEGORY, "x": Kind.FLOAT}
GROUPS = GroupSettings(slices=["region"], protected=["plan"])
SETTINGS = WatchSettings(groups=GROUPS, estimates=[], drift=DriftSettings(joint=[]))


def world(seed: int, n: int = 1_500, *, where=None, flip: float = 0.0):
    """Rows, answers and truth; among rows `where` the truth is turned with probability `flip`."""
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame(
        {
            "region": rng.choice(["north", "south", "west"], n, p=[0.5, 0.3, 0.2]),
            "plan": rng.choice(["old", "new"], n),
            "x": rng.normal(size=n),
        }
    )
    p = 1 / (1 + np.exp(-2 * frame["x"].to_numpy()))
    yes = rng.random(n) < p
    if where is not None:
        hit = frame.select(where).to_series().to_numpy()
        yes = np.where(hit & (rng.random(n) < flip), ~yes, yes)
    answers = Predictions(labels=np.where(p > 0.5, "yes", "no"), scores=np.stack([1 - p, p], 1), classes=("no", "yes"))
    return frame, np.where(yes, "yes", "no"), answers


FRAME, Y, ANSWERS = world(1, 4_000)
REFERENCE = build_reference(FRAME, Y, ANSWERS, kinds=KINDS, task=Task.BINARY, metric="accuracy", version=1)
BASELINE = baseline_of(FRAME, Y, ANSWERS, kinds=KINDS, task=Task.BINARY)


def judged(seed: int, *, settings=SETTINGS, labelled: bool = True, **options):
    frame, y, answers = world(seed, **options)
    verdict = observe(frame, reference=REFERENCE, predictions=answers, y=y if labelled else None, settings=settings)
    truth = pl.Series("label", y if labelled else [None] * len(y), dtype=pl.String)
    return diagnosed(verdict, frame, answers, truth=truth, reference=REFERENCE, settings=settings, baseline=BASELINE)


def test_each_declared_slice_has_its_metric_now_and_at_training():
    found = judged(2)
    assert {one.name for one in found.slices} == {"region=north", "region=south", "region=west", "plan=old", "plan=new"}
    for one in found.slices:
        assert one.low <= one.value <= one.high
        assert abs(one.was - one.value) < 0.1
        assert not one.is_worse
    assert sum(one.rows for one in found.slices if "region" in one.when) == 1_500


def test_a_slice_that_turned_warns_though_the_whole_has_not_decayed():
    found = judged(3, where=pl.col("region") == "west", flip=0.3)
    assert [one.name for one in found.slices if one.is_worse] == ["region=west"]
    assert not found.decayed
    assert found.state == "warn"
    assert found.causes[-1].because.startswith("region=west: accuracy went from")


def test_a_pair_that_nobody_declared_is_found():
    found = judged(4, n=4_000, where=(pl.col("region") == "south") & (pl.col("plan") == "old"), flip=0.7)
    assert found.found_slices
    assert any(one.when in ({"region": "south", "plan": "old"}, {"region": "south"}) for one in found.found_slices)
    whole = judged(4, n=4_000, where=pl.col("region") == "south", flip=0.7)
    assert whole.found_slices[0].when == {"region": "south"}
    assert whole.found_slices[0].effect > 0.3


def test_false_alarms_over_quiet_windows():
    quiet = [judged(100 + seed, n=800) for seed in range(30)]
    assert sum(any(one.is_worse for one in found.slices) for found in quiet) <= 3
    # by its quarters of x the model is worse near the boundary in every window: that is found and no false alarm
    assert not any(set(one.when) - {"x"} == set(one.when) for found in quiet for one in found.found_slices)


def test_without_labels_fairness_tells_who_is_chosen_and_no_slice_is_measured():
    found = judged(5, labelled=False)
    assert (found.slices, found.found_slices) == ([], [])
    assert [gap.measure for gap in found.fairness[0].gaps] == ["demographic_parity"]


def test_regression_has_slices_too():
    rng = np.random.default_rng(6)
    frame = pl.DataFrame({"region": rng.choice(["north", "south"], 2_000), "x": rng.normal(size=2_000)})
    y = frame["x"].to_numpy() + rng.normal(size=2_000)
    answers = Predictions(labels=frame["x"].to_numpy())
    kinds = {"region": Kind.CATEGORY, "x": Kind.FLOAT}
    made = build_reference(frame, y, answers, kinds=kinds, task=Task.REGRESSION, version=1)
    kept = baseline_of(frame, y, answers, kinds=kinds, task=Task.REGRESSION)
    worse = np.where(frame["region"].to_numpy() == "south", y + 2, y)
    verdict = observe(frame, reference=made, predictions=answers, y=worse, settings=SETTINGS)
    found = diagnosed(verdict, frame, answers, truth=pl.Series(worse), reference=made, settings=SETTINGS, baseline=kept)
    assert [one.name for one in found.slices if one.is_worse] == ["region=south"]
    assert found.found_slices[0].when == {"region": "south"}
    assert found.fairness == []


@pytest.mark.parametrize("columns", [["nothing"], []])
def test_columns_that_are_not_there_say_nothing(columns):
    settings = WatchSettings(
        groups=GroupSettings(slices=columns, found=False), estimates=[], drift=DriftSettings(joint=[])
    )
    found = judged(7, settings=settings)
    assert (found.slices, found.found_slices, found.fairness) == ([], [], [])


def test_a_window_that_decayed_says_why():
    found = judged(8, where=pl.col("x").is_not_null(), flip=0.3)
    assert found.decayed
    assert found.attribution.causes[0].cause == "labels given the inputs"
    assert found.attribution.causes[0].share > 0.8
    assert "of the change: labels given the inputs" in found.summary
    assert judged(2).attribution is None
