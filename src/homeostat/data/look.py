"""Looks at data for the first time: which task, which columns, and what a model should not see."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from homeostat.core.columns import Kind, Roles, Task
from homeostat.core.errors import InvalidInput, NotEnoughData, near
from homeostat.data.cast import conform
from homeostat.data.kinds import infer_key, infer_kinds, infer_task, infer_time
from homeostat.data.leaks import leaks

MIN_ROWS = 20
_FEW_OF_A_CLASS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What `homeostat init` writes down. `notes` are sentences for people: why columns are left out, and what is odd."""

    task: Task
    kinds: dict[str, Kind]
    time: str | None
    key: tuple[str, ...]
    exclude: tuple[str, ...]
    notes: tuple[str, ...]


def look(
    frame: pl.DataFrame, *, target: str, time: str | None = None, overrides: Mapping[str, Kind] | None = None
) -> Findings:
    """Return what the data are, for a target and maybe a given time column.

    Raise InvalidInput where target or time are not columns or cannot be used, NotEnoughData below 20 rows with a target.
    """
    _refuse_absent(frame, target, "target")
    if time == target:
        raise InvalidInput(f"'{target}' is both target and time", hint="give another time column")
    if time is not None:
        _refuse_absent(frame, time, "time")
    kinds = infer_kinds(frame, {**({time: Kind.DATETIME} if time is not None else {}), **(overrides or {})})
    typed = conform(frame, kinds)
    _refuse_target(typed[target])
    task = infer_task(typed[target])
    time = time or infer_time(typed.drop(target), kinds)
    key = infer_key(typed.drop(target, *([time] if time else [])), kinds)
    left_out = _useless(typed, kinds, Roles(target=target, time=time, key=(key,) if key else ()))
    features = Roles(target=target, time=time, key=(key,) if key else (), exclude=tuple(left_out)).features(
        typed.columns
    )
    left_out |= leaks(typed, features=features, target=target)
    notes = [f"'{name}' is left out: {why}" for name, why in left_out.items()]
    return Findings(
        task=task,
        kinds=kinds,
        time=time,
        key=(key,) if key else (),
        exclude=tuple(left_out),
        notes=(*notes, *_oddities(frame, typed, kinds, target=target, time=time, task=task)),
    )


def _refuse_absent(frame: pl.DataFrame, name: str, role: str) -> None:
    if name not in frame.columns:
        raise InvalidInput(f"there is no column '{name}' for the {role}", hint=near(name, frame.columns))


def _refuse_target(target: pl.Series) -> None:
    known = target.len() - target.null_count()
    if not known:
        raise InvalidInput(
            f"target '{target.name}' has no values", hint="choose a column that has values as the target"
        )
    if known >= 2 and target.drop_nulls().n_unique() == 1:
        raise InvalidInput(
            f"target '{target.name}' has only the value {target.drop_nulls()[0]!r}",
            hint="choose a column that varies as the target, or check the export",
        )
    if known < MIN_ROWS:
        raise NotEnoughData(
            f"only {known} rows have a value of '{target.name}', at least {MIN_ROWS} are needed", hint="give more rows"
        )


def _useless(frame: pl.DataFrame, kinds: Mapping[str, Kind], roles: Roles) -> dict[str, str]:
    """Return the columns that cannot help a model, with the reason."""
    found = {}
    for name in roles.features(frame.columns):
        column = frame[name]
        distinct = column.drop_nulls().n_unique()
        if not distinct:
            found[name] = "it has no values"
        elif distinct == 1 and not column.null_count():
            found[name] = f"it has only the value {column[0]!r}"
        elif _is_serial(column, kinds[name], distinct):
            found[name] = "it numbers the rows"
        elif kinds[name] is Kind.TEXT:
            found[name] = f"it is free text ({distinct:,} different values in {len(column):,} rows)"
        elif _is_models_output(name):
            found[name] = "it is called like the output of a model"
    return found


def _is_serial(column: pl.Series, kind: Kind, distinct: int) -> bool:
    if kind is not Kind.INTEGER or distinct != len(column):
        return False
    steps = column.diff().drop_nulls()
    return steps.n_unique() == 1 or column.name.lower() in ("id", "index")


def _is_models_output(name: str) -> bool:
    return name.lower().startswith(("prediction", "predicted", "y_pred", "y_hat"))


def _oddities(
    raw: pl.DataFrame, frame: pl.DataFrame, kinds: Mapping[str, Kind], *, target: str, time: str | None, task: Task
) -> list[str]:
    notes = []
    for name, kind in kinds.items():
        if kind in (Kind.CATEGORY, Kind.TEXT) and raw.schema[name] == pl.String and (told := _mixed(raw[name])):
            notes.append(told)
    missing = frame[target].null_count()
    if missing:
        notes.append(
            f"target '{target}' is missing in {missing:,} of {frame.height:,} rows: those are not learned from"
        )
    if task is not Task.REGRESSION:
        counts = frame[target].drop_nulls().value_counts().filter(pl.col("count") < _FEW_OF_A_CLASS)
        notes += [
            f"class {value!r} of '{target}' has only {count} rows"
            for value, count in counts.sort("count", target).rows()[:5]
        ]
    if time is None:
        notes.append("there is no time column: the test rows are drawn at random, and drift is watched by arrival")
    return notes


def _mixed(column: pl.Series) -> str | None:
    """Tell of a column of words that are mostly numbers."""
    present = column.drop_nulls()
    is_number = present.cast(pl.Float64, strict=False).is_not_null()
    share = float(is_number.sum()) / max(1, len(present))
    if not 0.5 <= share < 1.0:
        return None
    words = present.filter(~is_number)
    rows = (column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()).arg_true().head(5)
    listed = ", ".join(f"row {row + 1:,}: {column[row]!r}" for row in rows.to_list())
    return f"'{column.name}' mixes numbers ({share:.1%}) and {len(words):,} words ({listed}): it is taken as words"
