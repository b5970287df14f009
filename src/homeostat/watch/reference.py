"""What a version was like when it was chosen: its held-out rows, answers and performance, kept in little space."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.core.values import Json
from homeostat.data.profile import Profile, profile
from homeostat.track.predictions import Predictions
from homeostat.watch.importance import importance
from homeostat.watch.performance import ReferencePerformance, chosen_metric, reference_performance

Array = npt.NDArray[Any]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The held-out rows of a version as profiles: of its `features`, and of its `answers`; and how well it did there.

    `performance` is None where nothing could be measured (no rows, a metric that is not defined on them). `importance`: how much its answers
    follow each column, see `watch.importance`. `groups`: columns that the model does not take, and that it is watched by.
    """

    version: int
    task: Task
    metric: str
    rows: int
    features: Profile
    answers: Profile
    classes: list[Any] = []
    performance: ReferencePerformance | None = None
    importance: dict[str, float] = {}
    groups: Profile = Profile(rows=0, columns={})

    @property
    def signature(self) -> Signature:
        """Return what the version takes and answers (the target's name is not kept)."""
        columns = tuple(Column(name=name, kind=column.kind) for name, column in self.features.columns.items())
        return Signature(task=self.task, columns=columns, target="", classes=tuple(self.classes))

    def to_json(self) -> Json:
        """Return JSON-ready values, which `from_json` reads."""
        found: Json = msgspec.to_builtins(self)
        return found

    @classmethod
    def from_json(cls, found: Json) -> "Reference":
        """Return the reference; raise InvalidInput where `found` is none."""
        try:
            return msgspec.convert(found, cls)
        except msgspec.ValidationError as error:
            raise InvalidInput(
                f"this is not a reference: {error}", hint="build it again from the version's run"
            ) from error


def build_reference(
    test_frame: pl.DataFrame,
    y: Array,
    predictions: Predictions,
    *,
    kinds: Mapping[str, Kind],
    task: Task,
    metric: str | None = None,
    version: int,
    groups: Mapping[str, Kind] = MappingProxyType({}),
) -> Reference:
    """Return the reference of a version from its held-out rows, in order of time.

    `kinds` names the features, each a column of `test_frame`. `y` and `predictions` are of shape (n_rows,). Rows whose true value is not known
    have no place here. `groups`: columns of `test_frame` beside the features that it is watched by. `metric` None: the task's own, accuracy where that needs probabilities and there are none. Raises
    InvalidInput where the three disagree.
    """
    name = chosen_metric(metric, task=task, has_scores=predictions.scores is not None)
    absent = [column for column in kinds if column not in test_frame.columns]
    if absent:
        raise InvalidInput(f"the held-out rows lack {', '.join(absent)}", hint="give the features of the signature")
    if not len(y) == len(predictions) == test_frame.height:
        raise InvalidInput(
            f"{test_frame.height} held-out rows, {len(y)} true values and {len(predictions)} predictions",
            hint="give one of each for every row",
        )
    answers = answer_columns(predictions, task)
    try:
        features = profile(test_frame, kinds)
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"the held-out rows are not of the kinds of the signature: {error}",
            hint="conform them to these kinds first",
        ) from error
    return Reference(
        version=version,
        task=task,
        metric=name,
        rows=len(y),
        features=features,
        answers=profile(
            pl.DataFrame([series for series, _ in answers.values()]),
            {column: kind for column, (_, kind) in answers.items()},
        ),
        classes=[as_plain(label) for label in predictions.classes],
        performance=reference_performance(y, predictions, metric=name),
        importance=importance(test_frame, kinds, _followed(answers)),
        groups=profile(test_frame, groups),
    )


def _followed(answers: Mapping[str, tuple[pl.Series, Kind]]) -> npt.NDArray[np.float64]:
    """Return the answers as numbers: scores, or what was predicted; classes without scores by their place."""
    if "score" in answers:
        return answers["score"][0].to_numpy().astype(np.float64)
    said, kind = answers["prediction"]
    return (said if kind is Kind.FLOAT else said.rank("dense")).to_numpy().astype(np.float64)


def answer_columns(predictions: Predictions, task: Task) -> dict[str, tuple[pl.Series, Kind]]:
    """Return what is watched of the answers: numbers, or classes and (with probabilities) the positive one's or the highest."""
    if task is Task.REGRESSION:
        return {"prediction": (pl.Series("prediction", predictions.labels.astype(np.float64)), Kind.FLOAT)}
    labels: Sequence[Any] = predictions.labels.tolist()
    columns = {
        "prediction": (pl.Series("prediction", [str(label) for label in labels], dtype=pl.String), Kind.CATEGORY)
    }
    if predictions.scores is None:
        return columns
    is_binary = task is Task.BINARY and len(predictions.classes) == 2
    scores = predictions.scores[:, 1] if is_binary else predictions.scores.max(axis=1, initial=0.0)
    return {"score": (pl.Series("score", scores), Kind.FLOAT), **columns}


def as_plain(label: Any) -> Any:
    """Return a class as JSON can hold it: numpy's scalars become Python's."""
    return label.item() if isinstance(label, np.generic) else label


def keep_reference(tx: Transaction, model: str, reference: Reference) -> None:
    """Store the reference of a version, replacing what was kept for that version."""
    tx.watch.set_state(reference_name(model, reference.version), reference.to_json())


def kept_reference(tx: Transaction, model: str, version: int) -> Reference | None:
    """Return the reference kept for a version, None where there is none."""
    found = tx.watch.get_state(reference_name(model, version))
    return None if found is None else Reference.from_json(found)


def reference_name(model: str, version: int) -> str:
    return f"reference:{model}:{version}"
