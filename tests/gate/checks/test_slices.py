import numpy as np
import polars as pl
import pytest

from homeostat.gate.checks.slices import CHECK
from homeostat.gate.settings import GateSettings, SliceRule
from homeostat.track.predictions import Predictions


def judge(evidence, **rule):
    return CHECK.run(evidence, GateSettings(slices=SliceRule(**rule)))


def bad_in_west(w):
    p = w.p.copy()
    west = (w.frame["region"] == "west").to_numpy()
    p[west] = 1 - p[west]
    return p


def test_good_model_passes_in_every_segment(world):
    w = world()
    results = judge(w.binary(), columns=["region", "age"], protected=["region"])
    assert [(r.subject, r.passed, r.details["kind"]) for r in results] == [
        ("region", True, "protected"),
        ("age", True, "declared"),
    ]


def test_model_bad_in_one_segment_only_fails_there(world, scores):
    w = world()
    (result,) = judge(w.binary(scores(bad_in_west(w))), columns=["region"])
    assert not result.passed
    assert "'west'" in result.reason
    assert result.details["segments"][0]["segment"] == "west"
    assert result.value > 0.3


def test_segment_that_was_easy_for_the_champion_is_held_against_it(world, scores):
    w = world(n=4000)
    west = (w.frame["region"] == "west").to_numpy()
    w.y = np.where(west, "no", w.y)
    champion = np.where(west, 0.02, w.p)
    candidate = np.where(west, 0.45, w.p)  # a loss near that of the whole, where the champion's was nearly none
    (alone,) = judge(w.binary(scores(candidate)), columns=["region"], max_gap=0.2)
    assert alone.passed
    (result,) = judge(w.binary(scores(candidate), champion=scores(champion)), columns=["region"], max_gap=0.2)
    assert not result.passed
    assert "worse than the champion there" in result.reason


def test_numbers_are_cut_into_quarters_and_nulls_are_a_segment(world):
    w = world()
    w.frame = w.frame.with_columns(age=pl.when(pl.col("age") > 70).then(None).otherwise(pl.col("age")))
    (result,) = judge(w.binary(), columns=["age"])
    names = [s["segment"] for s in result.details["segments"]]
    assert len(names) == 5
    assert "(null)" in names
    assert sum(s["rows"] for s in result.details["segments"]) == 2000


def test_small_segments_are_left_out_and_said(world):
    w = world()
    region = w.frame["region"].to_list()
    region[:7] = ["island"] * 7
    w.frame = w.frame.with_columns(region=pl.Series(region))
    (result,) = judge(w.binary(), columns=["region"])
    assert result.passed
    assert "1 small segment left out" in result.reason
    assert result.details["skipped"] == [{"segment": "island", "rows": 7, "why": "fewer than 50 rows"}]


def test_only_small_segments_do_not_apply(world):
    (result,) = judge(world().binary(), columns=["region"], min_rows=5000)
    assert result.passed is None


def test_absent_column_fails_with_near_names(world):
    (result,) = judge(world().binary(), columns=["regoin"])
    assert result.passed is False
    assert "did you mean 'region'" in result.reason


def test_many_segments_of_a_good_model_seldom_fail_by_chance(world, scores):
    failures = 0
    for seed in range(60):
        w = world(n=2000, seed=seed)
        w.frame = w.frame.with_columns(shop=pl.Series(np.random.default_rng(seed).integers(0, 20, w.n)).cast(str))
        (result,) = judge(w.binary(), columns=["shop"], max_gap=0.0)
        failures += not result.passed
    assert failures <= 8  # 5 % of 60 is 3


def test_nan_in_one_segment_fails(world, scores):
    w = world()
    p = w.p.copy()
    p[np.flatnonzero((w.frame["region"] == "west").to_numpy())[0]] = np.nan
    (result,) = judge(w.binary(scores(p)), columns=["region"])
    assert result.passed is False


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_other_metrics_find_the_bad_segment_too(world, scores, metric):
    w = world()
    (result,) = judge(w.binary(scores(bad_in_west(w))), columns=["region"], metric=metric)
    assert not result.passed
    assert result.details["segments"][0]["value"] < 0.4


def test_regression_gaps_are_in_units_of_the_metric(world):
    w = world()
    values = w.mean + np.where((w.frame["region"] == "west").to_numpy(), 30, 0)
    evidence = w.regression(values, champion=Predictions(labels=w.mean))
    (result,) = judge(evidence, columns=["region"], max_gap=10.0)
    assert not result.passed
    (result,) = judge(evidence, columns=["region"], max_gap=40.0)
    assert result.passed
