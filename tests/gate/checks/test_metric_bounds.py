import numpy as np
import pytest

from homeostat.gate.checks.metric_bounds import CHECK
from homeostat.gate.settings import Bound, GateSettings
from homeostat.track.predictions import Predictions


def judged(evidence, **bounds):
    results = CHECK.run(evidence, GateSettings(metrics=bounds))
    return {result.subject: result for result in results if result.passed is not None}


def test_metrics_within_their_bounds_pass_and_others_fail(world):
    found = judged(world().binary(), roc_auc=Bound(min=0.7), log_loss=Bound(max=0.3), accuracy=Bound(min=0.99))
    assert {name: r.passed for name, r in found.items()} == {"roc_auc": True, "log_loss": False, "accuracy": False}
    auc = found["roc_auc"]
    assert auc.wanted == ">="
    assert auc.interval.low < auc.value < auc.interval.high
    assert auc.interval.high - auc.interval.low < 0.1


def test_interval_of_accuracy_is_in_its_own_sense(world):
    found = judged(world().binary(), accuracy=Bound(min=0.5))["accuracy"]
    assert 0.5 < found.interval.low < found.value < found.interval.high < 1.0


def test_both_ends_of_a_bound_are_held(world):
    results = CHECK.run(world().regression(), GateSettings(metrics={"mae": Bound(min=1.0, max=2.0)}))
    assert [(r.wanted, r.passed) for r in results if r.subject == "mae"] == [(">=", True), ("<=", False)]


def test_limit_inside_of_the_interval_is_said(world):
    value = judged(world(n=200).binary(), accuracy=Bound(min=0.0))["accuracy"].value
    found = judged(world(n=200).binary(), accuracy=Bound(min=value - 0.001))["accuracy"]
    assert found.passed
    assert "within the interval" in found.reason


def test_nan_metric_never_passes(world, scores):
    p = world().p.copy()
    p[3] = np.nan
    found = judged(world().binary(scores(p)), log_loss=Bound(max=1e9), roc_auc=Bound(min=0.0))
    assert {r.passed for r in found.values()} == {False}
    assert "NaN" in found["log_loss"].reason


@pytest.mark.parametrize(
    ("name", "words"), [("roc_acu", "roc_auc"), ("mae", "not a metric of binary"), ("log_loss", "gives none")]
)
def test_metric_that_cannot_be_computed_fails_alone_with_a_reason(world, name, words):
    evidence = world().binary(Predictions(labels=world().y, classes=("no", "yes")))
    found = judged(evidence, **{name: Bound(max=9.0), "accuracy": Bound(min=0.5)})
    assert not found[name].passed
    assert words in found[name].reason
    assert found["accuracy"].passed


def test_without_bounds_values_are_recorded_beside_the_champions(world, scores):
    results = CHECK.run(world().binary(champion=scores(np.full(2000, 0.5))), GateSettings())
    assert {r.passed for r in results} == {None}
    values = {r.subject: (r.value, r.details["champion"]) for r in results}
    assert values["roc_auc"][0] > 0.7
    assert values["roc_auc"][1] == 0.5
