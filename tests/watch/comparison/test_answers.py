"""Answers of two tables: what moved is told, what did not is not, by rows and by profiles alike."""

import numpy as np
import polars as pl
import pytest

from homeostat.app.drifting import drift_profile, drift_report
from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.watch.comparison.answers import recalibrated
from homeostat.watch.comparison.roles import Named, answer_columns, wanted
from homeostat.watch.profile.reliability import reliability_of
from homeostat.watch.settings import DriftSettings

ROWS = 4_000
BINARY = Named(score="s", label="y")


def world(seed=0, rows=ROWS, *, off=0.0) -> pl.DataFrame:
    """Return a score that is calibrated but for `off`, its class and number, and what came true of each."""
    rng = np.random.default_rng(seed)
    score = rng.beta(2.0, 3.0, rows)
    number = rng.normal(10.0, 3.0, rows)
    return pl.DataFrame(
        {
            "s": score,
            "p": (score > 0.5).astype(int),
            "y": (rng.uniform(size=rows) < np.clip(score + off, 0, 1)).astype(int),
            "n": number,
            "z": number + rng.normal(-10 * off, 1.0 + 5 * off, rows),
        }
    )


def report(folder, old, new, by, **named):
    old.write_parquet(folder / "old.parquet")
    new.write_parquet(folder / "new.parquet")
    return drift_report(
        "old.parquet",
        "new.parquet",
        root=folder,
        output=folder / "r.html",
        settings=DriftSettings(),
        by=by,
        named=Named(**named),
    )


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_a_concept_that_moved_shows_in_the_calibration_alone(tmp_path, by):
    found = report(tmp_path, world(), world(1, off=0.2).with_columns(y="y"), by, score="s", label="y")
    assert found.answers.state == "alarm"
    assert "reference lets expect" in found.answers.because
    states = {one.method: one.state for one in found.answers.drifts}
    assert states == {"scores": "ok", "calibration": "alarm"}
    effect = next(one.effect for one in found.answers.drifts if one.method == "calibration")
    assert effect == pytest.approx(0.2, abs=0.03)
    page = (tmp_path / "r.html").read_text()
    assert "how often it came true" in page
    assert "predictions: alarm" in page
    assert found.summary.startswith("the predictions moved")


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_answers_without_a_change_are_ok(tmp_path, by):
    found = report(tmp_path, world(), world(1), by, score="s", label="y", prediction="p")
    assert (found.state, found.answers.state) == ("ok", "ok")
    found = report(tmp_path, world(), world(1), by, prediction="n", label="z")
    assert (found.answers.state, found.answers.kind) == ("ok", None)
    assert {one.method for one in found.answers.drifts} == {"wasserstein", "bias", "error"}


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_numbers_that_are_off_are_told(tmp_path, by):
    found = report(tmp_path, world(), world(1, off=0.1), by, prediction="n", label="z")
    effects = {one.method: one.effect for one in found.answers.drifts if one.state == "alarm"}
    assert set(effects) == {"bias", "error"}
    assert effects["bias"] == pytest.approx(1.0, abs=0.1)
    assert effects["error"] == pytest.approx(np.hypot(1.0, 1.5) - 1.0, abs=0.1)


def test_fewer_right_answers_are_told_and_more_are_not(tmp_path):
    worse = world(1).with_columns(p=pl.when(pl.int_range(pl.len()) % 5 == 0).then(1 - pl.col("p")).otherwise("p"))
    found = report(tmp_path, world(), worse, "rows", prediction="p", label="y")
    assert {one.method: one.state for one in found.answers.drifts}["accuracy"] == "alarm"
    found = report(tmp_path, worse, world(), "rows", prediction="p", label="y")
    assert {one.method: one.state for one in found.answers.drifts}["accuracy"] == "ok"


def test_without_labels_only_the_spread_is_compared(tmp_path):
    found = report(tmp_path, world(), world(1).drop("y"), "rows", score="s", label="y")
    assert {one.method for one in found.answers.drifts} == {"scores"}
    assert found.answers.reliability is None
    assert found.answers.current["labelled"] == 0


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_scores_that_are_gone_or_spoilt_are_told(tmp_path, by):
    found = report(tmp_path, world(), world(1).drop("s"), by, score="s", label="y")
    assert (found.answers.state, found.answers.because) == ("unknown", "the current rows do not have s")
    spoilt = world(1).with_columns(s=pl.when(pl.int_range(pl.len()) % 4 == 0).then(float("nan")).otherwise("s"))
    found = report(tmp_path, world(), spoilt, by, score="s", label="y")
    assert found.answers.state == "alarm"
    assert "without a usable answer" in found.answers.because


def test_chance_alarms_as_seldom_as_it_says():
    print("seeds 0 to 399")
    low = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        sides = []
        for rows in (3_000, 500):
            score = rng.beta(1.0, 4.0, rows)
            sides.append(reliability_of(score, (rng.uniform(size=rows) < score**1.3).astype(float)))
        low += recalibrated(*sides).p_value < 0.05
    assert low < 0.05 * 400 + 4 * np.sqrt(0.05 * 0.95 * 400)


def test_a_kept_profile_says_which_columns_hold_the_answers(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    world(1, off=0.2).write_parquet(tmp_path / "new.parquet")
    drift_profile("old.parquet", root=tmp_path, output=tmp_path / "old.json", named=BINARY)
    options = {"root": tmp_path, "output": None, "settings": DriftSettings()}
    assert drift_report("old.json", "new.parquet", **options).answers.state == "alarm"
    drift_profile("new.parquet", root=tmp_path, output=tmp_path / "new.json", like="old.json")
    assert drift_report("old.json", "new.json", **options).answers.state == "alarm"
    with pytest.raises(InvalidInput, match="says which columns"):
        drift_report("old.json", "new.parquet", named=BINARY, **options)


def roles(frame, **named):
    asked = Named(**named)
    return answer_columns(frame.select(wanted(frame.columns, asked)), asked)


def test_what_homeostat_predict_writes_is_found():
    binary = pl.DataFrame({"prediction": ["no", "yes"], "score_no": [0.7, 0.1], "score_yes": [0.3, 0.9], "x": [1, 2]})
    found = roles(binary)
    assert (found.task, found.scores, found.positive, found.label) == (Task.BINARY, ("score_yes",), "yes", None)
    three = binary.with_columns(score_no=0.1, score_yes=0.2, score_both=0.7, label=pl.lit("no"))
    found = roles(three)
    assert (found.task, len(found.scores), found.label) == (Task.MULTICLASS, 3, "label")
    assert roles(binary.with_columns(score_no=5.0)).scores == ()  # no probabilities: other columns of that name
    assert roles(pl.DataFrame({"prediction": [0.5, 1.25, 7.5]})).task is Task.REGRESSION
    assert roles(pl.DataFrame({"x": [1]})) is None


def test_a_score_whose_class_is_not_known_is_refused():
    frame = pl.DataFrame({"s": [0.2, 0.7, 0.3], "y": ["no", "yes", "no"], "c": ["a", "b", "c"], "n": [5.0, 7.0, -1.0]})
    with pytest.raises(InvalidInput, match="which class is 's' the probability of"):
        roles(frame, score="s", label="y")
    assert roles(frame, score="s", label="y", positive="yes").positive == "yes"
    with pytest.raises(InvalidInput, match="no row has the class 'maybe'"):
        roles(frame, score="s", label="y", positive="maybe")
    with pytest.raises(InvalidInput, match="'c' has 3 classes"):
        roles(frame, score="s", label="c")
    assert roles(frame, score="s", label="c", prediction="c").task is Task.MULTICLASS
    with pytest.raises(InvalidInput, match="holds no probabilities"):
        roles(frame, score="n")
    with pytest.raises(InvalidInput, match="there is no column 'z'"):
        roles(frame, prediction="z")
    with pytest.raises(InvalidInput, match="a label alone"):
        roles(frame, label="y")
