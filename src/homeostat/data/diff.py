"""What changed between two versions: schema, rows, and how the values of each column are distributed."""

from collections.abc import Mapping
from typing import Any

import msgspec

from homeostat.core.columns import Kind
from homeostat.core.records.data import DatasetVersion
from homeostat.data.profile import CategoryProfile, ColumnProfile, NumberProfile, Profile


class ColumnDiff(msgspec.Struct, frozen=True, kw_only=True):
    """`mean_shift` is in standard deviations of the earlier version; `distance` the total variation of bins or categories, 0 to 1.

    Both are None where they do not apply: other kinds, no values, or bins that are not the same.
    """

    column: str
    kind: Kind
    nulls_before: float
    nulls_after: float
    mean_shift: float | None = None
    distance: float | None = None


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """`changed` maps a column to its kinds before and after; `columns` tells of those in both, the most different first."""

    before: int
    after: int
    rows_before: int
    rows_after: int
    added: list[str]
    removed: list[str]
    changed: dict[str, tuple[Kind, Kind]]
    columns: list[ColumnDiff]


def diff(before: DatasetVersion, after: DatasetVersion) -> Diff:
    """Return the differences of two versions of a data set, from their profiles: no rows are read."""
    old, new = before.schema["columns"], after.schema["columns"]
    profiles = Profile.from_json(before.profile), Profile.from_json(after.profile)
    both = [name for name in old if name in new and all(name in known.columns for known in profiles)]
    columns = [_column(name, profiles[0].columns[name], profiles[1].columns[name]) for name in both]
    return Diff(
        before=before.version,
        after=after.version,
        rows_before=before.rows,
        rows_after=after.rows,
        added=[name for name in new if name not in old],
        removed=[name for name in old if name not in new],
        changed={name: (Kind(old[name]), Kind(new[name])) for name in both if old[name] != new[name]},
        columns=sorted(columns, key=lambda column: -(column.distance or 0.0)),
    )


def _column(name: str, old: ColumnProfile, new: ColumnProfile) -> ColumnDiff:
    shift, distance = None, None
    match old, new:
        case NumberProfile(), NumberProfile():
            shift = _mean_shift(old, new)
            if old.edges == new.edges:
                distance = _total_variation(dict(enumerate(old.counts)), dict(enumerate(new.counts)))
        case CategoryProfile(), CategoryProfile():
            distance = _total_variation(_with_other(old), _with_other(new))
    return ColumnDiff(
        column=name,
        kind=new.kind,
        nulls_before=_null_share(old),
        nulls_after=_null_share(new),
        mean_shift=shift,
        distance=distance,
    )


def _null_share(column: ColumnProfile) -> float:
    missing = column.nulls + (column.nans if isinstance(column, NumberProfile) else 0)
    return missing / column.count if column.count else 0.0


def _mean_shift(old: NumberProfile, new: NumberProfile) -> float | None:
    if old.mean is None or new.mean is None or not old.sd:
        return None
    return new.mean / old.sd - old.mean / old.sd


def _with_other(column: CategoryProfile) -> Mapping[Any, int]:
    return {None: column.other, **column.counts}


def _total_variation(old: Mapping[Any, int], new: Mapping[Any, int]) -> float | None:
    """Return half the sum of the differences of the shares."""
    sums = sum(old.values()), sum(new.values())
    if not all(sums):
        return None
    return sum(abs(old.get(name, 0) / sums[0] - new.get(name, 0) / sums[1]) for name in {*old, *new}) / 2
