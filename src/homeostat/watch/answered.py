"""How sure and how right the answers of a window were, as a profile that its verdict keeps: days go together into months. Pure."""

import math
from collections.abc import Iterable
from typing import Any

import msgspec
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.records.watching import WindowVerdict
from homeostat.track.predictions import Predictions
from homeostat.watch.profile.answers import AnswerColumns, AnswerSketch, answer_sketch, as_classes, merged_answers


def answered(predictions: Predictions, truth: pl.Series, *, task: Task) -> AnswerSketch:
    """Return the profile of a window's answers beside their labels, null where none is known yet; of some hundred bytes.

    What was said itself is not in it: its drift is measured where the window is judged.
    """
    frame = pl.DataFrame({"prediction": _column(predictions, task), "label": _words(truth, task)})
    columns = AnswerColumns(task=task, prediction="prediction", label="label")
    if predictions.scores is not None and task is not Task.REGRESSION:
        is_binary = task is Task.BINARY and len(predictions.classes) == 2
        scores = predictions.scores[:, 1] if is_binary else predictions.scores.max(axis=1, initial=0.0)
        frame = frame.with_columns(score=pl.Series(scores))
        positive = as_classes(pl.Series([str(predictions.classes[1])]))[0] if is_binary else None
        told = task if is_binary else Task.MULTICLASS
        columns = msgspec.structs.replace(columns, task=told, scores=("score",), positive=positive)
    return msgspec.structs.replace(answer_sketch(frame, columns), said=None)


def answered_together(windows: Iterable[WindowVerdict]) -> AnswerSketch | None:
    """Return the profile of all answers of the windows; of one version, the newest's. None where no window kept any.

    Windows whose answers are told by other means, as without probabilities, do not count.
    """
    kept = [one for one in windows if one.body.get("answers") is not None]
    if not kept:
        return None
    version = kept[-1].body["version"]
    whole: AnswerSketch | None = None
    for one in reversed(kept):
        found = answers_of(one)
        if found is None or one.body["version"] != version:
            continue
        if whole is None:
            whole = found
        elif found.columns == whole.columns:
            whole = merged_answers(found, whole)
    return whole


def answers_of(window: WindowVerdict) -> AnswerSketch | None:
    """Return the profile that a window's verdict keeps; None where it was judged before there were any."""
    found = window.body.get("answers")
    return None if found is None else msgspec.convert(found, AnswerSketch)


def told(answers: AnswerSketch | None) -> dict[str, Any]:
    """Return the profile in a few numbers, for people and programs; nothing where there is none."""
    if answers is None:
        return {}
    of = answers.reliability
    residuals = answers.residuals
    return {
        "answers": answers.rows - answers.spoilt,
        "labelled": answers.labelled,
        "accuracy": answers.accuracy,
        "promised": None if of is None else of.expected,
        "came_true": None if of is None else of.rate,
        "calibration_error": None if of is None else of.error,
        "mean_residual": residuals.mean if residuals.count else None,
        "rmse": math.sqrt(residuals.m2 / residuals.count + residuals.mean**2) if residuals.count else None,
    }


def _column(predictions: Predictions, task: Task) -> pl.Series:
    if task is Task.REGRESSION:
        return pl.Series("prediction", predictions.labels.astype(float))
    return pl.Series("prediction", [str(label) for label in predictions.labels.tolist()], dtype=pl.String)


def _words(truth: pl.Series, task: Task) -> pl.Series:
    return truth.cast(pl.Float64, strict=False) if task is Task.REGRESSION else truth.cast(pl.String)
