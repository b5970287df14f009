"""The trainer of projects that name none: boosted trees with sound defaults, on columns of any kind.

Classes are not weighted. The gate and the watch judge by proper scores (log loss, Brier), and weights make every probability wrong by
design: what a rare class needs is a threshold, which is the reader's. `class_weight: balanced` under `train.params` weights them anyway.
Trees are not stopped early: that would take the newest rows away from training. 100 trees unless `max_iter` says otherwise.
Each split of a table of more than 500 features looks at 500 of them, drawn anew: the time does not grow with what is not looked at.
"""

from typing import Any

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput, near
from homeostat.track.metric import class_indices
from homeostat.train.hooks import TrainingData

MANY_FEATURES = 500


def train(data: TrainingData) -> Any:
    """Return the default model for the task, fitted. `data.params` are those of scikit-learn's HistGradientBoosting, and `calibrate`."""
    import numpy as np

    from homeostat.train.estimator import DefaultClassifier, DefaultRegressor

    columns = tuple((column.name, column.kind.value) for column in data.signature.columns)
    boosting = _boosting(data)
    data.log_param("trainer", "default")
    for name, value in sorted(boosting.items()):
        data.log_param(name, value)
    if data.task is Task.REGRESSION:
        return DefaultRegressor(columns, boosting=boosting).fit(data.X, data.y)
    if len(np.unique(class_indices(data.y, data.signature.classes))) < 2:
        raise InvalidInput(
            f"all training rows have the same '{data.target}': {data.y[:1].tolist()[0]!r}",
            hint="train on a longer window (train.window), or wait for rows of another class",
        )
    model = DefaultClassifier(
        columns,
        data.signature.classes,
        boosting=boosting,
        calibrate=_calibrate(data),
        is_ordered=data.is_ordered,
        seed=data.seed,
    ).fit(data.X, data.y)
    for name, value in (("before", model.calibration_.before), ("after", model.calibration_.after)):
        if np.isfinite(value):
            data.log_metric(f"calibration_log_loss_{name}", value)
    data.log_param("calibrated", model.calibration_.slope != 1.0 or model.calibration_.offset != 0.0)
    return model


def _calibrate(data: TrainingData) -> str:
    mode = data.params.get("calibrate", "auto")
    if mode not in ("auto", "always", "never"):
        raise InvalidInput(f"train.params.calibrate is {mode!r}", hint="write auto, always or never")
    return str(mode)


def _boosting(data: TrainingData) -> dict[str, Any]:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    kind = HistGradientBoostingRegressor if data.task is Task.REGRESSION else HistGradientBoostingClassifier
    known = set(kind().get_params()) - {"categorical_features"}
    chosen: dict[str, Any] = {"early_stopping": False, "max_iter": 100, "random_state": data.seed}
    if len(data.features) > MANY_FEATURES:
        chosen["max_features"] = MANY_FEATURES / len(data.features)
    chosen |= data.params
    chosen.pop("calibrate", None)
    for name in chosen:
        if name not in known:
            raise InvalidInput(f"the default trainer has no parameter '{name}'", hint=near(name, [*known, "calibrate"]))
    if isinstance(chosen.get("class_weight"), dict):
        weights = chosen["class_weight"]
        chosen["class_weight"] = dict(
            zip(class_indices(weights, data.signature.classes).tolist(), weights.values(), strict=True)
        )
    return chosen
