"""Shorter ways of asking a model that give the very same answers. They are known for scikit-learn's own classes, and tried before they are gone.

A table with named columns costs scikit-learn's checks more than the model does for a row (about half a millisecond against a quarter), and
`predict` after `predict_proba` evaluates the model again.
"""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Kind, Signature

Array = npt.NDArray[Any]

# their `predict` is the class of the greatest score; where two are equal they differ, and are asked
_SCORES_DECIDE = frozenset(
    [
        "BernoulliNB", "CalibratedClassifierCV", "DecisionTreeClassifier", "ExtraTreeClassifier", "ExtraTreesClassifier", "GaussianNB",
        "GradientBoostingClassifier", "HistGradientBoostingClassifier", "LinearDiscriminantAnalysis", "LogisticRegression",
        "LogisticRegressionCV", "MLPClassifier", "MultinomialNB", "QuadraticDiscriminantAnalysis", "RandomForestClassifier",
    ]
)  # fmt: skip
_LEAST_MARGIN = 1e-9
_PROBE_ROWS = 3


def scores_decide(model: Any, scores: npt.NDArray[np.float64]) -> bool:
    """Return whether the label of every row is the class of its greatest score, so that `predict` need not be asked. `scores`: (n_rows, n_classes)."""
    last = _steps(model)[-1]
    if not _is_of_sklearn(last) or type(last).__name__ not in _SCORES_DECIDE or scores.shape[1] < 2:
        return False
    two = np.partition(scores, -2, axis=1)[:, -2:]
    return bool((two[:, 1] - two[:, 0] > _LEAST_MARGIN).all())


def takes_matrix(model: Any, signature: Signature) -> bool:
    """Return whether the model may be given an array of shape (n_rows, n_features) instead of a table of the signature's columns.

    So where it is an estimator of scikit-learn, or a pipeline of some, that was fitted on just these columns of numbers, and says the same
    to some made-up rows either way.
    """
    if not signature.columns or not all(
        column.kind is Kind.FLOAT or (column.kind is Kind.INTEGER and not column.nullable)
        for column in signature.columns
    ):
        return False
    try:
        return all(_looks_at_values_alone(step) for step in _steps(model)) and _says_the_same(model, signature)
    except Exception:  # noqa: BLE001 - border: whatever a model's code raises at the try, it is asked the usual way then
        return False


def _steps(model: Any) -> list[Any]:
    """Return the steps of a pipeline, or the model alone."""
    if _is_of_sklearn(model) and type(model).__name__ == "Pipeline":
        return [step for _, step in model.steps if step is not None and not isinstance(step, str)] or [model]
    return [model]


def _is_of_sklearn(model: Any) -> bool:
    return type(model).__module__.startswith("sklearn.")


def _looks_at_values_alone(step: Any) -> bool:
    """Return whether names and types of columns mean nothing to an estimator, and none that they do mean something to is in it."""
    if not _is_of_sklearn(step) or type(step).__name__ in ("FunctionTransformer", "ColumnTransformer", "FeatureUnion"):
        return False
    if getattr(step, "_preprocessor", None) is not None:  # of columns of categories
        return False
    return not any(hasattr(value, "fit") or isinstance(value, list) for value in step.get_params(deep=False).values())


def _says_the_same(model: Any, signature: Signature) -> bool:
    import pandas as pd

    names = [column.name for column in signature.columns]
    known = getattr(_steps(model)[0], "feature_names_in_", None)
    if known is not None and list(known) != names:
        return False
    matrix = np.random.default_rng(0).normal(scale=100.0, size=(_PROBE_ROWS, len(names))).round()
    frame = pd.DataFrame(
        {
            c.name: matrix[:, i].astype(np.int64 if c.kind is Kind.INTEGER else float)
            for i, c in enumerate(signature.columns)
        }
    )
    methods = [getattr(model, name) for name in ("predict", "predict_proba") if hasattr(model, name)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bool(methods) and all(np.array_equal(method(frame), method(matrix)) for method in methods)
