import numpy as np
import pytest

from homeostat.gate.checks.beats_champion import CHECK
from homeostat.gate.settings import ChampionRule, GateSettings
from homeostat.track.predictions import Predictions


def judge(evidence, **rule):
    (result,) = CHECK.run(evidence, GateSettings(champion=ChampionRule(**rule)))
    return result


def test_equal_model_is_not_worse_and_not_better(world, scores):
    evidence = world().binary(champion=scores(world().p))
    assert judge(evidence, rule="not_worse").passed
    assert not judge(evidence, rule="better").passed
    assert judge(evidence, rule="not_worse", margin=0.0).passed


def test_model_with_a_little_noise_is_not_worse_than_its_equal(world, scores):
    w = world(n=8000)
    rng = np.random.default_rng(1)
    evidence = w.binary(
        scores(np.clip(w.p + rng.normal(0, 0.02, w.n), 0.01, 0.99)),
        champion=scores(np.clip(w.p + rng.normal(0, 0.02, w.n), 0.01, 0.99)),
    )
    assert judge(evidence).passed
    assert not judge(evidence, rule="better").passed


def test_better_model_is_better(world, scores):
    w = world()
    evidence = w.binary(champion=scores(0.5 + 0.3 * (w.p - 0.5)))
    result = judge(evidence, rule="better")
    assert result.passed
    assert result.interval.high < 0
    assert not judge(evidence, rule="better", margin=0.5).passed
    assert judge(evidence).passed


def test_worse_model_fails_and_the_reason_says_by_how_much(world, scores):
    w = world()
    result = judge(w.binary(scores(0.5 + 0.3 * (w.p - 0.5)), champion=scores(w.p)))
    assert not result.passed
    assert "worse by more than the margin" in result.reason
    assert result.limit == pytest.approx(0.05 * result.details["champion"])
    assert result.details["candidate"] > result.details["champion"]


def test_too_few_rows_to_tell_fail_and_say_so(world, scores):
    w = world(n=60)
    candidate = scores(np.clip(w.p + np.random.default_rng(1).normal(0, 0.1, w.n), 0.02, 0.98))
    result = judge(w.binary(candidate, champion=scores(w.p)), margin=0.005, confidence=0.95)
    assert not result.passed
    assert result.interval.low < 0 < result.interval.high
    assert "too few test rows" in result.reason


@pytest.mark.parametrize("metric", ["roc_auc", "brier", "accuracy", "f1"])
def test_every_metric_tells_a_shuffled_model_from_a_good_one(world, scores, metric):
    w = world()
    shuffled = scores(np.random.default_rng(0).permutation(w.p))
    assert not judge(w.binary(shuffled, champion=scores(w.p)), metric=metric).passed
    assert judge(w.binary(champion=shuffled), metric=metric, rule="better").passed


@pytest.mark.parametrize("metric", [None, "mae", "rmse", "r2"])
def test_regression_is_compared_in_units_of_the_metric(world, metric):
    w = world()
    champion = Predictions(labels=w.mean + np.random.default_rng(0).normal(0, 5, w.n))
    result = judge(w.regression(champion=champion), metric=metric, rule="better")
    assert result.passed
    if metric == "rmse":
        assert result.value == pytest.approx(5 - np.sqrt(50), abs=0.3)


def test_false_alarms_of_better_between_equals_are_as_rare_as_said(world, scores):
    passed = 0
    for seed in range(200):
        w = world(n=150, seed=seed)
        noise = np.random.default_rng(1000 + seed).normal(0, 0.1, (2, w.n))
        candidate, champion = (scores(np.clip(w.p + e, 0.02, 0.98)) for e in noise)
        passed += judge(w.binary(candidate, champion=champion), rule="better", resamples=200).passed
    assert passed <= 14  # 2.5 % of 200 is 5; 14 has probability 4e-4


def test_nan_predictions_never_pass(world, scores):
    w = world()
    p = w.p.copy()
    p[0] = np.nan
    for candidate, champion in ((p, w.p), (w.p, p)):
        result = judge(w.binary(scores(candidate), champion=scores(champion)))
        assert not result.passed
        assert "cannot be compared" in result.reason


def test_model_without_probabilities_is_compared_by_accuracy(world, scores):
    w = world()
    evidence = w.binary(Predictions(labels=scores(w.p).labels, classes=("no", "yes")), champion=scores(w.p))
    result = judge(evidence)
    assert result.subject == "accuracy"
    assert result.passed


def test_no_champion_and_rule_off_do_not_apply_but_a_champion_that_cannot_answer_fails(world):
    assert judge(world().binary()).passed is None
    assert judge(world().binary(), rule="off").passed is None
    result = judge(world().binary(champion_failure="version 3 cannot answer the test rows: no column 'age'"))
    assert result.passed is False
    assert "no column 'age'" in result.reason
