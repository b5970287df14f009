import numpy as np
import pytest

from homeostat.core.columns import Signature, Task
from homeostat.gate.checks.baseline import CHECK, constant
from homeostat.gate.evidence import Evidence
from homeostat.gate.settings import ChampionRule, GateSettings
from homeostat.track.predictions import Predictions


def judge(evidence, **rule):
    (result,) = CHECK.run(evidence, GateSettings(champion=ChampionRule(**rule)))
    return result


@pytest.mark.parametrize("metric", [None, "brier", "roc_auc", "accuracy"])
def test_model_that_learned_something_passes_and_shuffled_one_fails(world, scores, metric):
    w = world()
    shuffled = scores(np.random.default_rng(3).permutation(w.p))
    assert judge(w.binary(), metric=metric).passed
    assert not judge(w.binary(shuffled), metric=metric).passed


@pytest.mark.parametrize("metric", [None, "rmse", "r2"])
def test_regression_must_beat_the_middle_of_the_training_target(world, metric):
    w = world()
    assert judge(w.regression(), metric=metric).passed
    assert not judge(w.regression(np.full(w.n, np.median(w.price))), metric=metric).passed
    shuffled = np.random.default_rng(0).permutation(w.mean)
    assert not judge(w.regression(shuffled), metric=metric).passed


def test_constant_follows_the_training_target_not_the_test(world):
    w = world()
    train = np.array(["yes"] * 90 + ["no"] * 10)
    answers = constant(w.binary(train_target=train), "log_loss")
    assert answers.scores[0].tolist() == [0.1, 0.9]
    assert set(answers.labels.tolist()) == {"yes"}
    assert constant(w.regression(train_target=np.array([1.0, 2.0, 30.0])), "mae").labels[0] == 2.0
    assert constant(w.regression(train_target=np.array([1.0, 2.0, 30.0])), "rmse").labels[0] == 11.0


def test_rarely_does_a_model_of_pure_noise_pass(world, scores):
    passed = 0
    for seed in range(150):
        w = world(n=200, seed=seed)
        noise = np.random.default_rng(seed + 500).uniform(0.3, 0.7, w.n)
        passed += judge(w.binary(scores(noise))).passed
    assert passed <= 6


def test_labels_of_a_rare_class_are_judged_class_by_class(world):
    rng = np.random.default_rng(0)
    y = np.where(rng.uniform(size=4000) < 0.03, "yes", "no")
    good = np.where((y == "yes") & (rng.uniform(size=4000) < 0.7) | (rng.uniform(size=4000) < 0.05), "yes", "no")
    w = world(n=4000)
    w.y = y
    assert (good == y).mean() < (y == "no").mean()  # plain accuracy prefers the constant
    assert judge(w.binary(Predictions(labels=good, classes=("no", "yes")))).passed
    assert not judge(w.binary(Predictions(labels=np.full(4000, "no"), classes=("no", "yes")))).passed


def test_multiclass_is_judged_with_integer_classes(world):
    w = world(n=900)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, w.n)
    signature = Signature(task=Task.MULTICLASS, columns=(), target="kind", classes=(0, 1, 2))
    for weight, expected in ((4.0, True), (0.0, False)):
        raw = rng.uniform(size=(w.n, 3)) + weight * np.eye(3)[y]
        p = raw / raw.sum(axis=1, keepdims=True)
        answers = Predictions(labels=p.argmax(axis=1), scores=p, classes=(0, 1, 2))
        evidence = Evidence(task=Task.MULTICLASS, signature=signature, test=w.frame, y=y, candidate=answers)
        assert judge(evidence).passed is expected


def test_ranking_decides_where_a_few_wrong_answers_make_the_loss_uncertain(world, scores):
    w = world(n=1000)
    p = w.p.copy()
    wrong = np.flatnonzero(w.y == "yes")[:4]
    p[wrong] = 1e-9
    result = judge(w.binary(scores(p)), confidence=0.999)
    assert result.value < 0 < result.interval.high
    assert result.passed
    assert "ranking" in result.reason


def test_correlation_decides_for_numbers_with_a_few_wild_ones(world):
    w = world(n=1000)
    answers = w.mean.copy()
    answers[:5] += 600
    result = judge(w.regression(answers), confidence=0.99)
    assert result.value < 0 < result.interval.high
    assert result.passed


def test_model_of_noise_among_few_rows_seldom_passes_by_its_ranking(world):
    passed = 0
    for seed in range(150):
        w = world(n=60, seed=seed)
        passed += judge(w.regression(np.median(w.price) + w.rng.normal(0, 0.5, w.n))).passed
    assert passed <= 9


def test_model_whose_probabilities_are_worse_than_a_constant_fails_however_it_ranks(world, scores):
    w = world()
    assert not judge(w.binary(scores(np.where(w.p > 0.5, 1 - 1e-12, 1e-12)))).passed
