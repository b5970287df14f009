"""What every batch must satisfy: inferred from the first version, overridden by homeostat.yaml.

The bounds are for breakage (another unit, a sentinel such as -999, a lost join), not for drift: the world may move within them.
"""

import math
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from homeostat.core.columns import Kind, Roles
from homeostat.core.errors import InvalidInput, near
from homeostat.data.settings import ColumnRule, ContractSettings

RANGE_SLACK = 4.0  # so many times the observed span is allowed on either side of it
NULL_SLACK = 0.25  # added to twice the observed share of missing values
NEW_SLACK = 0.10  # least share of rows that may hold categories not seen before
MAX_CATEGORIES = 1_000
_ROWS_FACTOR = 10


class Contract(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is None is not checked. `not_before` bounds the time column; `freshness_s` the age of its newest row."""

    columns: dict[str, ColumnRule]
    key: list[str] = []
    key_unique: bool = False
    time: str | None = None
    min_rows: int = 1
    max_rows: int | None = None
    freshness_s: float | None = None
    not_before: datetime | None = None
    allow_extra_columns: bool = True

    @property
    def kinds(self) -> dict[str, Kind]:
        return {name: rule.kind for name, rule in self.columns.items() if rule.kind is not None}

    def only(self, names: list[str] | tuple[str, ...]) -> "Contract":
        """Return the contract for some columns of single rows, as requests bring them: no keys, counts or times."""
        return Contract(columns={name: rule for name, rule in self.columns.items() if name in names}, min_rows=0)

    def forgiving(self, names: Collection[str]) -> "Contract":
        """Return the contract of rows that need not have values in some columns."""
        free = {"required": False, "nullable": True, "max_null_share": 1.0}
        columns = {n: msgspec.structs.replace(r, **free) if n in names else r for n, r in self.columns.items()}
        return msgspec.structs.replace(self, columns=columns)

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Contract":
        return msgspec.convert(value, cls)


def infer_contract(frame: pl.DataFrame, *, roles: Roles, kinds: Mapping[str, Kind]) -> Contract:
    """Return the contract that a conformed frame satisfies, with room for later data of the same sort.

    Ranges get four times the span on either side; columns of one value, keys, excluded columns and those that only move on with time
    (serial numbers, months) get none. Missing values, where there are some, may be twice their share and 25 points more; new
    categories three times the share of rows in categories met once (I. J. Good 1953 estimates by it how much is unseen), at least
    10 %. A batch may have up to ten times the rows; times reach back by the length of the history.
    """
    ordered = frame.sort(roles.time, maintain_order=True) if roles.time in frame.columns else frame
    unbounded = {*roles.key, *roles.exclude, *(name for name in frame.columns if _is_clock(ordered[name]))}
    columns = {
        name: _rule(frame[name], kind, frame.height, is_bounded=name not in unbounded)
        for name, kind in kinds.items()
        if name in frame.columns
    }
    key = [name for name in roles.key if name in frame.columns]
    if len(key) == 1:
        unique = not frame[key[0]].null_count() and bool(frame[key[0]].is_unique().all())
    else:
        unique = bool(key) and bool(frame.select(key).is_unique().all())
    return Contract(
        columns=columns,
        key=key,
        key_unique=unique,
        time=roles.time if roles.time in frame.columns else None,
        max_rows=max(_ROWS_FACTOR * frame.height, 1000),
        min_rows=min(1, frame.height),
        not_before=_not_before(frame, roles.time, kinds),
    )


def _rule(column: pl.Series, kind: Kind, rows: int, *, is_bounded: bool) -> ColumnRule:
    present = column.fill_nan(None).drop_nulls() if column.dtype.is_float() else column.drop_nulls()
    share = 1 - len(present) / rows if rows else 1.0
    low, high = _range(present) if kind.is_numeric and is_bounded else (None, None)
    categories, new_share = _categories(present) if kind is Kind.CATEGORY and is_bounded else (None, None)
    return ColumnRule(
        kind=kind,
        required=True,
        nullable=share > 0,
        max_null_share=min(1.0, 2 * share + NULL_SLACK) if share > 0 else None,
        min=low,
        max=high,
        categories=categories,
        max_new_category_share=new_share,
    )


def _is_clock(column: pl.Series) -> bool:
    """Say whether the values, in order of time, only move on, as serial numbers and the months of a half-year do: others will come."""
    present = column.drop_nulls()
    if present.dtype.is_numeric():
        return present.n_unique() > 1 and (present.is_sorted() or present.is_sorted(descending=True))
    return present.dtype == pl.String and int((present != present.shift()).sum()) + 1 == present.n_unique()


def _range(present: pl.Series) -> tuple[float | None, float | None]:
    """Return the bounds of a column of numbers; none on a side that infinity has reached, none for a single value."""
    finite = present.filter(present.is_finite()) if present.dtype.is_float() else present
    if finite.is_empty():
        return None, None
    low, high = float(finite.min()), float(finite.max())  # type: ignore[arg-type]
    if low == high:
        return None, None
    span = high - low
    bounds = (low - RANGE_SLACK * span, high + RANGE_SLACK * span)
    if low == 0 and (finite == 0).mean() >= 0.01:  # type: ignore[operator]
        bounds = (0.0, bounds[1])  # a natural zero: counts, amounts, shares
    has_infinite = [present.dtype.is_float() and (present == sign * math.inf).any() for sign in (-1, 1)]
    kept = [None if cut or not math.isfinite(bound) else bound for bound, cut in zip(bounds, has_infinite, strict=True)]
    return kept[0], kept[1]


def _categories(present: pl.Series) -> tuple[list[Any] | None, float | None]:
    if present.is_empty() or present.n_unique() > MAX_CATEGORIES:
        return None, None
    counts = present.value_counts()
    unseen = int((counts["count"] == 1).sum()) / len(present)
    return counts[present.name].sort().to_list(), min(1.0, max(NEW_SLACK, 3 * unseen))


def _not_before(frame: pl.DataFrame, time: str | None, kinds: Mapping[str, Kind]) -> datetime | None:
    if time is None or time not in frame.columns or kinds.get(time) is not Kind.DATETIME:
        return None
    moments = frame[time].drop_nulls()
    if moments.is_empty():
        return None
    first, last = moments.min(), moments.max()
    assert isinstance(first, datetime)
    assert isinstance(last, datetime)
    try:
        return first - (last - first)
    except OverflowError:
        return None


def apply_overrides(contract: Contract, settings: ContractSettings) -> Contract:
    """Return the contract with the parts that homeostat.yaml gives; raise InvalidInput for columns and values that cannot be."""
    columns = dict(contract.columns)
    for name, given in settings.columns.items():
        if name not in columns:
            raise InvalidInput(
                f"`contract.columns` names '{name}', which the data do not have", hint=near(name, columns)
            )
        columns[name] = _overridden(columns[name], given, name)
    changes: dict[str, Any] = {"columns": columns, "allow_extra_columns": settings.allow_extra_columns}
    if settings.min_rows is not None:
        changes["min_rows"] = settings.min_rows
    if settings.max_rows is not None:
        changes["max_rows"] = settings.max_rows
    if settings.freshness is not None:
        if contract.time is None:
            raise InvalidInput("`contract.freshness` needs a time column", hint="set `time` under `data`")
        changes["freshness_s"] = settings.freshness.total_seconds()
    out = msgspec.structs.replace(contract, **changes)
    if out.max_rows is not None and out.min_rows > out.max_rows:
        raise InvalidInput(
            f"`min_rows` {out.min_rows:,} is above `max_rows` {out.max_rows:,}", hint="correct one of them"
        )
    return out


def _overridden(rule: ColumnRule, given: ColumnRule, name: str) -> ColumnRule:
    changes = {f: v for f in given.__struct_fields__ if (v := getattr(given, f)) is not None}
    if given.kind is not None and given.kind is not rule.kind:
        rule = ColumnRule(required=rule.required, nullable=rule.nullable, max_null_share=rule.max_null_share)
    if given.categories is not None and given.max_new_category_share is None:
        changes["max_new_category_share"] = 0.0
    if given.max_null_share is not None and given.nullable is None:
        changes["nullable"] = given.max_null_share > 0
    if given.nullable and given.max_null_share is None and not rule.nullable:
        changes["max_null_share"] = 1.0
    out = msgspec.structs.replace(rule, **changes)
    if out.min is not None and out.max is not None and out.min > out.max:
        raise InvalidInput(f"column '{name}': `min` {out.min:g} is above `max` {out.max:g}", hint="correct one of them")
    return out
