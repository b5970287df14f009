import math

import numpy as np
import pytest
from tests.watch.cases import answers, rows, truth

from homeostat.core.columns import Task
from homeostat.track.metrics import METRICS
from homeostat.track.predictions import Predictions
from homeostat.watch.performance import (
    Performance,
    ReferencePerformance,
    chosen_metric,
    compare,
    constant_loss,
    measure_performance,
    reference_performance,
    spread_between,
    value_and_error,
)
from homeostat.watch.settings import WatchSettings

SETTINGS = WatchSettings()


def measured(value: float, *, error: float = 0.01, metric: str = "log_loss", **options) -> Performance:
    return Performance(
        metric=metric, state="measured", rows=500, labelled=500, maturity=1.0, value=value, error=error, **options
    )


def was(value: float, *, error: float = 0.01, metric: str = "log_loss", between: float = 0.0, **options):
    return ReferencePerformance(metric=metric, value=value, error=error, between=between, rows=1_000, **options)


@pytest.mark.parametrize("metric", [name for name, m in METRICS.items() if Task.BINARY in m.tasks])
def test_value_is_the_metric_and_its_error_covers_it(metric):
    frame = rows(1_500, 0)
    y, predictions = truth(frame, 0), answers(frame)
    value, error = value_and_error(y, predictions, metric=metric)
    assert value == pytest.approx(METRICS[metric].compute(y, predictions))
    spread = []
    for seed in range(40):
        again = rows(1_500, seed)
        spread.append(METRICS[metric].compute(truth(again, seed), answers(again)))
    assert np.std(spread) * 0.5 < error < np.std(spread) * 2


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2"])
def test_regression_metrics_have_errors_too(metric):
    rng = np.random.default_rng(0)
    y = rng.normal(size=800)
    predictions = Predictions(labels=y + rng.normal(size=800))
    value, error = value_and_error(y, predictions, metric=metric)
    assert value == pytest.approx(METRICS[metric].compute(y, predictions))
    assert 0 < error < 0.2


def test_neighbouring_rows_that_are_alike_make_the_error_larger():
    rng = np.random.default_rng(0)
    waves = np.repeat(rng.normal(size=50), 20)
    flat = rng.permutation(waves)
    error_of = lambda loss: value_and_error(np.abs(loss), Predictions(labels=np.zeros(1_000)), metric="mae")[1]  # noqa: E731
    assert error_of(waves) > 2 * error_of(flat)


def test_stretches_that_differ_are_seen_and_random_ones_are_not():
    rng = np.random.default_rng(0)
    trend = np.linspace(1, 3, 2_000) + rng.normal(0, 0.1, 2_000)
    found = spread_between(trend, Predictions(labels=np.zeros(2_000)), metric="mae")
    assert found == pytest.approx(np.linspace(1, 3, 10).std(), rel=0.2)
    assert spread_between(rng.permutation(trend), Predictions(labels=np.zeros(2_000)), metric="mae") < 0.1


@pytest.mark.parametrize(
    ("n", "known", "state"),
    [
        (1_000, 1_000, "measured"),
        (1_000, 0, "no_labels"),
        (1_000, 800, "not_enough_labels"),
        (50, 50, "not_enough_labels"),
    ],
)
def test_windows_count_only_when_mature(n, known, state):
    frame = rows(known, 0)
    found = measure_performance(
        truth(frame, 0), answers(frame), rows=n, metric="log_loss", task=Task.BINARY, settings=SETTINGS
    )
    assert found.state == state
    assert (found.value is None) == (state != "measured")
    assert found.maturity == known / n


def test_one_class_only_has_no_auc_and_is_not_a_crash():
    frame = rows(300, 0)
    y = np.full(300, "no")
    found = measure_performance(y, answers(frame), rows=300, metric="roc_auc", task=Task.BINARY, settings=SETTINGS)
    assert found.value is None
    assert found.state == "not_measurable"


def test_a_metric_of_probabilities_without_any_is_not_measurable():
    predictions = Predictions(labels=np.full(300, "no"), classes=("no", "yes"))
    y = np.full(300, "no")
    found = measure_performance(y, predictions, rows=300, metric="log_loss", task=Task.BINARY, settings=SETTINGS)
    assert found.state == "not_measurable"


def test_repeating_the_last_label_is_told_beside_the_accuracy():
    y = np.array((["no"] * 9 + ["yes"]) * 20)
    predictions = Predictions(labels=np.full(200, "no"), classes=("no", "yes"))
    found = measure_performance(y, predictions, rows=200, metric="accuracy", task=Task.BINARY, settings=SETTINGS)
    assert found.accuracy == 0.9
    assert found.no_change == pytest.approx(1 - 39 / 199)


def test_decay_needs_effect_and_certainty():
    assert compare(measured(0.60), was(0.50), settings=SETTINGS).decayed
    assert not compare(measured(0.52), was(0.50, error=0.001), settings=SETTINGS).decayed  # 4 %: small, though sure
    assert not compare(measured(0.60, error=0.08), was(0.50), settings=SETTINGS).decayed  # large, not sure
    assert not compare(measured(0.40), was(0.50), settings=SETTINGS).decayed


def test_decay_of_a_metric_where_higher_is_better_is_downwards():
    assert compare(measured(0.7, metric="roc_auc"), was(0.8, metric="roc_auc"), settings=SETTINGS).decayed
    assert not compare(measured(0.9, metric="roc_auc"), was(0.8, metric="roc_auc"), settings=SETTINGS).decayed


def test_a_margin_that_is_set_is_used():
    settings = WatchSettings(decay=0.2)
    assert not compare(measured(0.6), was(0.5), settings=settings).decayed
    assert compare(measured(0.8), was(0.5), settings=settings).decayed


def test_stretches_that_differed_at_training_widen_what_is_called_sure():
    assert not compare(measured(0.6), was(0.5, between=0.06), settings=SETTINGS).decayed


def test_rows_that_are_harder_for_any_model_are_no_decay():
    harder = compare(measured(0.6, constant=0.69), was(0.5, constant=0.55), settings=SETTINGS)
    assert not harder.decayed
    assert "harder for any model" in harder.because
    assert compare(measured(0.6, constant=0.55), was(0.5, constant=0.55), settings=SETTINGS).decayed


def test_without_labels_or_reference_nothing_decays_and_it_is_said_why():
    frame = rows(10, 0)
    few = measure_performance(
        truth(frame, 0), answers(frame), rows=1_000, metric="log_loss", task=Task.BINARY, settings=SETTINGS
    )
    assert "labels of 10 of 1000 rows" in compare(few, was(0.5), settings=SETTINGS).because
    assert "no reference" in compare(measured(0.5), None, settings=SETTINGS).because
    assert "reference is in mae" in compare(measured(0.5), was(0.5, metric="mae"), settings=SETTINGS).because


@pytest.mark.parametrize("metric", ["log_loss", "brier", "accuracy", "roc_auc"])
def test_false_alarms_without_change(metric):
    """A reference and a window of one world: decay in at most a few of 100 (two standard errors, one-sided: 2.3)."""
    alarms = 0
    for seed in range(150):
        old, new = rows(600, seed), rows(300, seed + 5_000)
        reference = reference_performance(truth(old, seed), answers(old), metric=metric)
        window = measure_performance(
            truth(new, seed + 5_000), answers(new), rows=300, metric=metric, task=Task.BINARY, settings=SETTINGS
        )
        alarms += compare(window, reference, settings=SETTINGS).decayed
    assert alarms <= 10  # 99.9 % limit of a binomial with 2.3 % of 150


def test_the_best_constant_is_the_base_rates():
    y = np.array([0] * 3 + [1])
    assert constant_loss(y, metric="log_loss") == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert constant_loss(y, metric="brier") == pytest.approx(0.75 * 0.25)
    assert constant_loss(np.array([1.0, 2.0, 6.0]), metric="mae") == pytest.approx(5 / 3)
    assert constant_loss(y, metric="roc_auc") is None
    assert constant_loss(np.array([]), metric="mae") is None


def test_the_metric_is_the_set_one_the_tasks_own_or_accuracy():
    assert chosen_metric("brier", task=Task.BINARY, has_scores=True) == "brier"
    assert chosen_metric(None, task=Task.REGRESSION, has_scores=False) == "mae"
    assert chosen_metric(None, task=Task.BINARY, has_scores=True) == "log_loss"
    assert chosen_metric(None, task=Task.BINARY, has_scores=False) == "accuracy"
