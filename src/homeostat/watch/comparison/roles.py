"""Which columns of a table hold a model's answers: named by the user, or as `homeostat predict` writes them."""

from collections.abc import Sequence
from typing import NoReturn

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput, near
from homeostat.data.kinds import infer_task
from homeostat.watch.profile.answers import AnswerColumns, as_classes

PREDICTION, LABEL, SCORE = "prediction", "label", "score_"


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """What a user names: columns, and the class that the score is the probability of."""

    prediction: str | None = None
    score: str | None = None
    label: str | None = None
    positive: str | None = None

    @property
    def is_empty(self) -> bool:
        return self == Named()


def wanted(columns: Sequence[str], named: Named) -> list[str]:
    """Return which columns `answer_columns` looks at; raise InvalidInput for a name that no column has."""
    asked = [("--prediction", named.prediction), ("--score", named.score), ("--label", named.label)]
    for option, name in asked:
        if name is not None and name not in columns:
            raise InvalidInput(f"{option}: there is no column '{name}'", hint=near(name, columns))
    if not named.is_empty:
        if named.prediction is None and named.score is None:
            raise InvalidInput("a label alone says nothing of answers", hint="name --prediction or --score too")
        return list(dict.fromkeys(name for _, name in asked if name is not None))
    if PREDICTION not in columns:
        return []
    return [name for name in columns if name in (PREDICTION, LABEL) or name.startswith(SCORE)]


def answer_columns(head: pl.DataFrame, named: Named) -> AnswerColumns | None:
    """Return the roles of the columns, told from the first rows of those that are `wanted`; None where nothing is named or known.

    Without names: `prediction`, `score_CLASS` (where these add up to 1 in each row) and `label`. Raise InvalidInput where it cannot be
    told which class a score is of.
    """
    if named.is_empty:
        return _as_written(head) if PREDICTION in head.columns else None
    if named.score is None:
        assert named.prediction is not None
        return AnswerColumns(
            task=_task(head[named.prediction]), prediction=named.prediction, label=named.label, positive=None
        )
    _hold_probabilities(head[named.score])
    told = named.label if named.label is not None else named.prediction
    classes = [] if told is None else as_classes(head[told]).drop_nulls().unique().sort().to_list()
    if named.positive is not None or (told is not None and set(classes) <= {"0", "1"}) or told is None:
        positive = "1" if named.positive is None else as_classes(pl.Series([named.positive]))[0]
        if classes and positive not in classes and not set(classes) <= {"0", "1"}:
            raise InvalidInput(
                f"--positive: no row has the class '{positive}' in '{told}'", hint=near(positive, classes)
            )
        return AnswerColumns(
            task=Task.BINARY, prediction=named.prediction, scores=(named.score,), label=named.label, positive=positive
        )
    if len(classes) <= 2:
        _refuse(named.score, f"the classes are {', '.join(classes)}", "name it: --positive CLASS")
    if named.prediction is None:
        _refuse(named.score, f"'{told}' has {len(classes)} classes", "name the answers too: --prediction COLUMN")
    return AnswerColumns(
        task=Task.MULTICLASS, prediction=named.prediction, scores=(named.score,), label=named.label, positive=None
    )


def _as_written(head: pl.DataFrame) -> AnswerColumns:
    label = LABEL if LABEL in head.columns else None
    scores = [name for name in head.columns if name.startswith(SCORE)]
    if len(scores) >= 2 and _add_up(head, scores):
        if len(scores) == 2:
            positive = as_classes(pl.Series([scores[1].removeprefix(SCORE)]))[0]
            return AnswerColumns(
                task=Task.BINARY, prediction=PREDICTION, scores=(scores[1],), label=label, positive=positive
            )
        return AnswerColumns(task=Task.MULTICLASS, prediction=PREDICTION, scores=tuple(scores), label=label)
    return AnswerColumns(task=_task(head[PREDICTION]), prediction=PREDICTION, label=label)


def _task(prediction: pl.Series) -> Task:
    """Return whether these are numbers, or classes, as for a target; one value tells nothing: a float is a number, all else a class."""
    try:
        task = infer_task(prediction)
    except InvalidInput:
        return Task.REGRESSION if prediction.dtype.is_float() else Task.MULTICLASS
    return Task.MULTICLASS if task is Task.BINARY else task


def _add_up(head: pl.DataFrame, names: Sequence[str]) -> bool:
    if not all(head[name].dtype.is_float() for name in names):
        return False
    whole = head.select(pl.sum_horizontal(names)).to_series().drop_nulls().drop_nans().to_numpy()
    return bool(len(whole)) and bool(np.allclose(whole, 1.0, atol=1e-3))


def _hold_probabilities(score: pl.Series) -> None:
    """Raise InvalidInput for a column that holds no probability at all; single rows are counted, not refused."""
    values = score.cast(pl.Float64, strict=False).drop_nulls() if not score.dtype.is_nested() else pl.Series([])
    if len(score) and score.null_count() < len(score) and not values.is_between(0.0, 1.0).any():
        raise InvalidInput(
            f"--score: '{score.name}' holds no probabilities between 0 and 1",
            hint="name the column of the positive class's, or of the answer's, probability",
        )


def _refuse(score: str, because: str, hint: str) -> NoReturn:
    raise InvalidInput(f"which class is '{score}' the probability of? {because}", hint=hint)
