import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from tests.train.compiled.tables import check_compiled, fitted, numbers, signature


@pytest.mark.parametrize("seed", [0, 1])
def test_two_classes_with_missing_values(tmp_path, seed):
    frame, columns, rng = numbers(seed=seed)
    y = (frame["x1"].to_numpy() + rng.normal(size=len(frame)) > 0).astype(int)
    model = fitted(HistGradientBoostingClassifier(random_state=0), frame, columns, y)
    report = check_compiled(tmp_path, model, frame, signature(columns, (0, 1)), "hist_gradient_boosting")
    assert report.worst < 1e-12


def test_three_classes_in_another_order_than_the_signatures(tmp_path):
    frame, columns, rng = numbers()
    y = np.array(["b", "a", "c"])[
        (frame["x1"].to_numpy() + rng.normal(size=len(frame)) * 0.3).clip(-1, 1).round().astype(int) + 1
    ]
    model = fitted(HistGradientBoostingClassifier(max_iter=20, random_state=0), frame, columns, y)
    check_compiled(tmp_path, model, frame, signature(columns, ("c", "a", "b")), "hist_gradient_boosting")


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "poisson", "gamma"])
def test_numbers_whatever_the_loss(tmp_path, loss):
    frame, columns, rng = numbers()
    y = np.exp(frame["x1"].to_numpy() + rng.normal(size=len(frame)) * 0.1)
    model = fitted(HistGradientBoostingRegressor(loss=loss, max_iter=30, random_state=0), frame, columns, y)
    check_compiled(tmp_path, model, frame, signature(columns), "hist_gradient_boosting")


def test_categories_as_numbers_some_never_seen(tmp_path):
    frame, columns, rng = numbers()
    y = (np.isin(frame["x5"].to_numpy(), [1, 4, 7]) ^ (rng.random(len(frame)) < 0.1)).astype(int)
    train = frame.filter(frame["x5"] != 8)
    model = fitted(
        HistGradientBoostingClassifier(max_iter=20, categorical_features=[5], random_state=0),
        train,
        columns,
        y[(frame["x5"] != 8).to_numpy()],
    )
    check_compiled(tmp_path, model, frame, signature(columns, (0, 1)), "hist_gradient_boosting")


def test_a_model_that_learned_nothing_is_one_leaf(tmp_path):
    frame, columns, _ = numbers(60)
    model = fitted(HistGradientBoostingRegressor(max_iter=2, min_samples_leaf=50), frame, columns, np.ones(60))
    check_compiled(tmp_path, model, frame, signature(columns), "hist_gradient_boosting")
