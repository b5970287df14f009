"""What a model of these data takes and answers, found from the data; and signatures as JSON."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from homeostat.core.columns import Column, Kind, Roles, Signature, Task
from homeostat.core.errors import InvalidInput, NotFound, near

if TYPE_CHECKING:
    import polars as pl

MOST_CLASSES = 1000
# Words for "nothing happened": the other class of a binary target is then the positive one, whatever the alphabet says.
_NEGATIVE = {
    "no",
    "n",
    "false",
    "f",
    "0",
    "neg",
    "negative",
    "none",
    "off",
    "absent",
    "normal",
    "ok",
    "healthy",
    "legit",
}
_POSITIVE = {"yes", "y", "true", "t", "pos", "positive", "on", "present"}


def signature_of(frame: "pl.DataFrame", *, roles: Roles, kinds: Mapping[str, Kind], task: Task) -> Signature:
    """Return the signature: every feature in the order of the frame, and the classes of the target.

    Classes are sorted. In a binary task the positive class, the last, is the greater one (True, 1), but among words the one that says so
    (`yes`, `true`, `positive`, ...) or the one that is not `no`, `normal`, `ok` or the like.
    """
    import polars as pl

    if roles.target not in frame.columns:
        raise NotFound(f"no target column '{roles.target}'", hint=near(roles.target, frame.columns))
    names = roles.features(frame.columns)
    if not names:
        raise InvalidInput(
            "there is no feature: every column is the target, the time, a key or excluded",
            hint="take columns out of data.key or data.exclude",
        )
    unknown = [name for name in names if name not in kinds]
    if unknown:
        raise InvalidInput(
            f"the kind of column '{unknown[0]}' is not known", hint="infer the kinds from the same frame"
        )
    nulls = frame.select(pl.col(names).null_count()).row(0, named=True)
    columns = tuple(
        Column(name=name, kind=kinds[name], nullable=_may_be_null(frame[name], nulls[name])) for name in names
    )
    return Signature(task=task, columns=columns, target=roles.target, classes=classes_of(frame[roles.target], task))


def _may_be_null(series: "pl.Series", nulls: int) -> bool:
    return nulls > 0 or (series.dtype.is_float() and bool(series.is_nan().any()))


def classes_of(target: "pl.Series", task: Task) -> tuple[Any, ...]:
    """Return the classes in their order, none for regression; raise InvalidInput where the target does not fit the task."""
    import polars as pl

    if task is Task.REGRESSION:
        if not target.dtype.is_numeric() and target.dtype != pl.Boolean:
            raise InvalidInput(
                f"target '{target.name}' is {target.dtype}, not numbers",
                hint="set task: binary or multiclass, or clean it",
            )
        return ()
    found = target.drop_nulls().unique()
    if found.dtype.is_float():
        found = found.drop_nans()
        if (found == found.floor()).all():
            found = found.cast(pl.Int64)
    values = [value if isinstance(value, bool | int | float | str) else str(value) for value in found.to_list()]
    if len(values) < 2:
        raise InvalidInput(
            f"target '{target.name}' is constant: {values or 'no value at all'}",
            hint="a model needs rows of at least two classes; take more history or another target",
        )
    if task is Task.BINARY and len(values) > 2:
        raise InvalidInput(
            f"target '{target.name}' has {len(values)} classes, a binary task has two", hint="set task: multiclass"
        )
    if len(values) > MOST_CLASSES:
        raise InvalidInput(
            f"target '{target.name}' has {len(values)} classes, more than {MOST_CLASSES}",
            hint="set task: regression, or join rare classes",
        )
    return tuple(sorted(values, key=lambda value: (_sign(value) if task is Task.BINARY else 0, value)))


def _sign(value: Any) -> int:
    if not isinstance(value, str):
        return 0  # False < True, 0 < 1
    word = value.strip().lower()
    return -1 if word in _NEGATIVE else 1 if word in _POSITIVE else 0


def as_the_model_says(signature: Signature, model: Any) -> Signature:
    """Return the signature with every column nullable where the model declares that it takes missing values (scikit-learn's `allow_nan`).

    What the training rows happened to hold says nothing of tomorrow's: a sensor that never failed in eight weeks fails in the ninth.
    """
    tags = getattr(model, "__sklearn_tags__", None)
    if tags is None or not getattr(getattr(tags(), "input_tags", None), "allow_nan", False):
        return signature
    return replace(signature, columns=tuple(replace(column, nullable=True) for column in signature.columns))


def to_json(signature: Signature) -> dict[str, Any]:
    """Return the signature as plain JSON values; without `params` where there are none, as in signatures from before."""
    found: dict[str, Any] = json.loads(msgspec.json.encode(signature))
    if not signature.params:
        del found["params"]
    return found


def from_json(value: Mapping[str, Any]) -> Signature:
    """Return what `to_json` wrote; raise InvalidInput where it is not a signature."""
    try:
        return msgspec.convert(dict(value), Signature)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"not a signature: {error}", hint="train the model again with this version") from error
