"""Rows of a table as numbers, the same way for the reference and a window: for classifiers and models that look at all columns at once. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.methods import sample_kind
from homeostat.watch.sample import Floats

MOST_CATEGORIES = 200
_DECIMALS = range(-3, 7)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Encoded:
    """`reference` (n, n_columns) and `current` (m, n_columns); categories as codes from 0, the last one for all that is rare.

    `notes` name columns that were put on one grid: what is rounded differently is not drift, though any tree can tell it.
    """

    names: Sequence[str]
    reference: Floats
    current: Floats
    is_category: npt.NDArray[np.bool_]
    notes: Sequence[str] = ()


def encode(reference: pl.DataFrame, current: pl.DataFrame, kinds: Mapping[str, Kind]) -> Encoded:
    """Return both tables as numbers. Times (which always move), text, and columns that a side lacks are left out; what cannot be read is NaN."""
    names, ours, theirs, notes = [], [], [], []
    for name, kind in kinds.items():
        if name not in reference.columns or name not in current.columns or sample_kind(kind) is None:
            continue
        if sample_kind(kind) == "number":
            before, after, note = _one_grid(_numbers(reference[name]), _numbers(current[name]))
            if note:
                notes.append(f"{name} {note}")
        else:
            before, after = _codes(reference[name], current[name])
        names.append(name)
        ours.append(before)
        theirs.append(after)
    return Encoded(
        names=names,
        reference=_columns(ours, reference.height),
        current=_columns(theirs, current.height),
        is_category=np.array([sample_kind(kinds[name]) == "category" for name in names], dtype=np.bool_),
        notes=notes,
    )


def _columns(columns: list[Floats], rows: int) -> Floats:
    return np.stack(columns, axis=1) if columns else np.empty((rows, 0))


def _numbers(series: pl.Series) -> Floats:
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy().copy()
    values[~np.isfinite(values)] = np.nan
    return values


def _codes(reference: pl.Series, current: pl.Series) -> tuple[Floats, Floats]:
    """Return codes of the categories that are frequent on both sides together: by the reference's own, rare ones would be rarer in any other sample."""
    before, after = reference.cast(pl.String, strict=False), current.cast(pl.String, strict=False)
    counts = pl.concat([before, after.rename(before.name)]).drop_nulls().value_counts(name="rows")
    known = sorted(
        counts.sort(["rows", before.name], descending=[True, False])[before.name].head(MOST_CATEGORIES).to_list()
    )
    places = {word: float(place) for place, word in enumerate(known)}

    def codes(words: pl.Series) -> Floats:
        listed = [float("nan") if word is None else places.get(word, float(len(known))) for word in words.to_list()]
        return np.array(listed, dtype=np.float64)

    return codes(before), codes(after)


def _one_grid(before: Floats, after: Floats) -> tuple[Floats, Floats, str]:
    """Round both sides to the coarser of their two grids, where they have different ones."""
    if before[np.isfinite(before)].size == 0 or after[np.isfinite(after)].size == 0:
        return before, after, ""
    fine, coarse = sorted([_decimals(before), _decimals(after)], key=lambda d: -d)
    if fine == coarse:
        return before, after, ""
    was, now = _decimals(before), _decimals(after)
    told = f"is rounded differently ({_told(was)}, now {_told(now)}): compared on the coarser grid"
    return np.round(before, coarse), np.round(after, coarse), told


def _decimals(values: Floats) -> int:
    """Return the fewest decimals that hold every value; one more than is looked for where none does."""
    finite = values[np.isfinite(values)]
    for decimals in _DECIMALS:
        if np.allclose(finite, np.round(finite, decimals), rtol=1e-12, atol=0.0):
            return decimals
    return _DECIMALS.stop


def _told(decimals: int) -> str:
    return "no grid" if decimals == _DECIMALS.stop else f"{10.0**-decimals:g}"
