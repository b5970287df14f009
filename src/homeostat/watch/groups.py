"""Groups of rows by a column's values, the same ones in every window: what slices and fairness are measured over. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.profile import ColumnProfile, NumberProfile
from homeostat.watch.methods import sample_kind

FEW_VALUES = 10
MOST_GROUPS = 30
UNKNOWN = "(null)"
REST = "(rare or new)"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Grouped:
    """`codes` (n_rows,): the place in `names` of each row's group, -1 for rows that are in none."""

    column: str
    names: tuple[str, ...]
    codes: npt.NDArray[np.intp]

    def rows_of(self, name: str) -> npt.NDArray[np.bool_]:
        """Return which rows are of that group, shape (n_rows,)."""
        return (
            np.asarray(self.codes == self.names.index(name)) if name in self.names else np.zeros(len(self.codes), bool)
        )


def grouped(series: pl.Series, profile: ColumnProfile) -> Grouped | None:
    """Return the groups of a column, None for kinds that have none (times, text).

    Numbers of more than ten values are cut at the quartiles that the profile's sample has; categories that the profile does not name are one
    group, and so are missing values. At most 30 groups have a name.
    """
    kind = sample_kind(profile.kind)
    if kind is None:
        return None
    if kind == "number" and isinstance(profile, NumberProfile) and len(set(profile.sample)) > FEW_VALUES:
        return _quarters(series, profile)
    words = _words(series)
    if isinstance(profile, NumberProfile):
        known = [f"{value:g}" for value in sorted(set(profile.sample))]
    else:
        counts: dict[str, int] = getattr(profile, "counts", {})
        known = sorted(sorted(counts, key=lambda word: -counts[word])[:MOST_GROUPS])
    names = (*known, REST, UNKNOWN)
    places = {word: place for place, word in enumerate(known)}
    codes = [len(known) + 1 if word is None else places.get(word, len(known)) for word in words]
    return Grouped(column=series.name, names=names, codes=np.array(codes, dtype=np.intp))


def told_groups(texts: pl.Series, kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """Return columns that labels brought as JSON objects, a column for each of `kinds`: numbers, or texts. Null: not said, or no number.

    >>> told_groups(pl.Series(['{"sex":"f","n":2}', None]), {"sex": Kind.CATEGORY, "n": Kind.INTEGER}).to_dicts()
    [{'sex': 'f', 'n': 2.0}, {'sex': None, 'n': None}]
    """
    said = {text: msgspec.json.decode(text) for text in texts.drop_nulls().unique().to_list()}
    rows = [said.get(text, {}) for text in texts.to_list()]
    found = {}
    for name, kind in kinds.items():
        words = pl.Series(name, [_word(row.get(name)) for row in rows], dtype=pl.String)
        found[name] = words.cast(pl.Float64, strict=False) if kind.is_numeric else words
    return pl.DataFrame(found)


def _word(value: Any) -> str | None:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return None if value is None else str(value)


def _words(series: pl.Series) -> list[str | None]:
    if series.dtype.is_numeric():
        numbers = series.cast(pl.Float64).fill_nan(None).to_list()
        return [None if value is None else f"{value:g}" for value in numbers]
    return series.cast(pl.String, strict=False).to_list()


def _quarters(series: pl.Series, profile: NumberProfile) -> Grouped:
    edges = np.unique(np.quantile(np.array(profile.sample, dtype=np.float64), (0.25, 0.5, 0.75)))
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    told = [f"{edge:.4g}" for edge in edges]
    middle = [f"{low} to {high}" for low, high in pairwise(told)]
    names = (f"up to {told[0]}", *middle, f"above {told[-1]}", UNKNOWN)
    codes = np.where(np.isnan(values), len(names) - 1, np.searchsorted(edges, values, side="left"))
    return Grouped(column=series.name, names=names, codes=codes.astype(np.intp))
