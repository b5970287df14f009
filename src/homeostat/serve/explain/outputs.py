"""What an estimator answers before and after it makes probabilities: contributions are held against it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.serve.explain.contributions import Contributions, Matrix, Method, Unit
from homeostat.serve.explain.stages import Stages

TOLERANCE = 1e-6
_SINGLE = 1e-5  # XGBoost and LightGBM add up floats of 32 bits


def outputs_of(stages: Stages, features: Matrix) -> Iterator[tuple[Unit, Matrix]]:
    """Yield what the estimator can be asked for, shape (n_rows, n_outputs) each."""
    estimator = stages.estimator
    if not stages.classes:
        yield "value", _table(estimator.predict(features))
        return
    module = type(estimator).__module__.partition(".")[0]
    if module == "xgboost":
        yield "margin", _table(estimator.predict(features, output_margin=True))
    elif module == "lightgbm":
        yield "margin", _table(estimator.predict(features, raw_score=True))
    elif hasattr(estimator, "decision_function"):
        yield "margin", _table(estimator.decision_function(features))
    if hasattr(estimator, "predict_proba"):
        yield "probability", _table(estimator.predict_proba(features))


def held(
    method: Method, stages: Stages, features: Matrix, *, values: npt.NDArray[np.float64], base: Matrix, columns: int
) -> Contributions | None:
    """Return the contributions where they add up to what the model answers, None where they do not.

    `values` of shape (n_rows, n_features, n_outputs), `base` (n_outputs,), as the estimator has them, before its calibration.
    """
    module = type(stages.estimator).__module__.partition(".")[0]
    tolerance = _SINGLE if module in ("xgboost", "lightgbm") else TOLERANCE / 10
    for unit, outputs in outputs_of(stages, features):
        if outputs.shape != (len(features), values.shape[2]):
            continue
        if not np.allclose(values.sum(axis=1) + base, outputs, rtol=tolerance, atol=tolerance):
            continue
        is_calibrated = stages.slope != 1.0 or stages.offset != 0.0
        if is_calibrated and unit != "margin":
            continue
        return Contributions(
            method=method,
            unit=unit,
            values=stages.slope * stages.folded(values, columns),
            base=stages.slope * base + stages.offset,
            outputs=stages.slope * outputs + stages.offset,
            classes=stages.classes,
        )
    return None


def _table(found: Any) -> Matrix:
    values = np.asarray(found, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values
