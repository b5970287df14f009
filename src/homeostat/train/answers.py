"""What a model answers, brought into one shape, whatever kind of object it is."""

from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.track.metric import class_indices
from homeostat.track.predictions import Predictions
from homeostat.train.shortcuts import scores_decide

Array = npt.NDArray[Any]


def ask(model: Any, features: Any, signature: Signature) -> Predictions:
    """Return the model's answers to features of shape (n_rows, n_features); raise InvalidInput naming what came back otherwise.

    `predict_proba` gives the scores where the model has it: columns in the order of `model.classes_`, or of the signature's classes
    where it has none; one column is the probability of the positive class. A model of a binary task that only has `predict` and
    answers fractions in [0, 1] answers probabilities of the positive class (as statsmodels does); one whose `predict` answers a column
    of fractions for each class answers probabilities (as neural networks do).
    A model with a true `labels_follow_scores` is not asked twice: its label is the class of the greatest score. Nor are those of which that is
    known (`shortcuts`), where no two scores are equal.
    """
    rows = len(features)
    if not rows:  # many models refuse to be asked nothing
        scores = None if signature.task is Task.REGRESSION else np.empty((0, len(signature.classes)))
        return Predictions(labels=_classes(signature)[:0], scores=scores, classes=signature.classes)
    if signature.task is Task.REGRESSION:
        return Predictions(labels=_numbers(_column(model.predict(features), rows, "predict"), "predict"))
    scores = None
    if callable(getattr(model, "predict_proba", None)):
        scores = _aligned(model, model.predict_proba(features), rows, signature)
    if scores is not None and (getattr(model, "labels_follow_scores", False) or scores_decide(model, scores)):
        return _of_scores(scores, signature)
    answer = model.predict(features)
    if scores is None and _is_table_of_probabilities(answer, rows, signature):
        return _of_scores(_numbers(_array(answer, "predict"), "predict"), signature)
    said = _column(answer, rows, "predict")
    found = class_indices(said, signature.classes)
    if scores is None and (found < 0).any() and signature.task is Task.BINARY and _are_probabilities(said):
        return _of_scores(_two_columns(said.astype(np.float64)), signature)
    if (found < 0).any():
        wrong = said[found < 0].tolist()[0]
        raise InvalidInput(
            f"predict answered {wrong!r}, which is none of the classes {_listed(signature.classes)}",
            hint="predict must answer one of the target's values for each row",
        )
    return Predictions(labels=_classes(signature)[found], scores=scores, classes=signature.classes)


def _of_scores(scores: npt.NDArray[np.float64], signature: Signature) -> Predictions:
    best = np.where(np.isnan(scores), -np.inf, scores).argmax(axis=1)
    if len(signature.classes) == 2:  # a tie is positive, as "at least one half"
        best = (scores[:, 1] >= 0.5).astype(np.intp)
    return Predictions(labels=_classes(signature)[best], scores=scores, classes=signature.classes)


def _classes(signature: Signature) -> Array:
    if signature.task is Task.REGRESSION:
        return np.empty(0)
    kinds = {type(label) for label in signature.classes}
    return np.asarray(signature.classes, dtype=None if len(kinds) == 1 else object)


def _column(answer: Any, rows: int, method: str) -> Array:
    values = _array(answer, method)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (rows,):
        raise InvalidInput(
            f"{method} answered an array of shape {values.shape} for {rows} rows, wanted ({rows},)",
            hint=f"{method} must answer one value for each row it is given",
        )
    return values


def _array(answer: Any, method: str) -> Array:
    if answer is None:
        raise InvalidInput(f"{method} answered None", hint=f"return the answers from {method}")
    try:
        return np.asarray(answer)
    except ValueError as error:
        raise InvalidInput(
            f"{method} answered a {type(answer).__name__} that is no array: {error}", hint="answer a numpy array"
        ) from error


def _numbers(values: Array, method: str) -> npt.NDArray[np.float64]:
    try:
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(
            f"{method} answered {values.dtype} and not numbers: {error}", hint="answer floats"
        ) from error


def _aligned(model: Any, answer: Any, rows: int, signature: Signature) -> npt.NDArray[np.float64]:
    values = _numbers(_array(answer, "predict_proba"), "predict_proba")
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim != 2 or len(values) != rows:
        raise InvalidInput(
            f"predict_proba answered an array of shape {values.shape} for {rows} rows",
            hint=f"predict_proba must answer an array of shape ({rows}, {len(signature.classes)}): rows, classes",
        )
    own = getattr(model, "classes_", None)
    order = None if own is None else class_indices(np.asarray(own), signature.classes)
    if order is not None and len(order) == values.shape[1] and (order >= 0).all():
        scores = np.zeros((rows, len(signature.classes)))
        scores[:, order] = values
        return scores
    if values.shape[1] == 1 and len(signature.classes) == 2:
        return _two_columns(values[:, 0])
    if values.shape[1] != len(signature.classes):
        raise InvalidInput(
            f"predict_proba answered {values.shape[1]} columns for the {len(signature.classes)} classes {_listed(signature.classes)}",
            hint="answer a column for each class, or give the model a classes_ that names its columns",
        )
    return values


def _two_columns(positive: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.column_stack([1.0 - positive, positive])


def _are_probabilities(values: Array) -> bool:
    return values.dtype.kind == "f" and bool(((values >= 0.0) & (values <= 1.0)).all())


def _is_table_of_probabilities(answer: Any, rows: int, signature: Signature) -> bool:
    values = _array(answer, "predict")
    return len(signature.classes) > 1 and values.shape == (rows, len(signature.classes)) and _are_probabilities(values)


def _listed(classes: tuple[Any, ...]) -> str:
    return "[" + ", ".join(repr(label) for label in classes[:8]) + (", ...]" if len(classes) > 8 else "]")
