"""A column of categories as a profile: the counts of the frequent ones, and about how many there are."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import polars as pl
from datasketches import hll_sketch, hll_union, tgt_hll_type

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.sample import Categories

TOP = 1_000
CAPACITY = 2 * TOP  # more than are told of, so that those which are told of are near the truth
LONGEST = 120  # characters of a name; a longer one is kept by its beginning and its hash
_LG_K = 12  # 4,096 registers: the number of distinct values is within 1.6 % (one standard error)


class CategorySketch(msgspec.Struct, frozen=True, kw_only=True, tag="category"):
    """`counts` of at most 2,000 categories, each too low by at most `error`: exact while no more were met.

    Frequent items after J. Misra and D. Gries (1982), merged as P. K. Agarwal et al. (2013), "Mergeable summaries", ACM TODS 38(4),
    show: add, then take the count of the first that is too many off all; `error` <= rows / 2,000. It is the space-saving algorithm less its smallest
    counter. `hll`: HyperLogLog of P. Flajolet et al. (2007), as Apache DataSketches serialises it.
    """

    kind: Kind
    rows: int = 0
    nulls: int = 0
    error: int = 0
    counts: dict[str, int] = {}
    hll: bytes = b""

    @property
    def distinct(self) -> int:
        """About how many different values there are; exact up to 2,000."""
        return len(self.counts) if not self.error else round(_sketch(self.hll).get_estimate())

    @property
    def unnamed(self) -> float:
        """The share of values in categories beyond the 1,000 most frequent, of which only the number is told."""
        found = self.to_categories()
        return found.other / len(found) if len(found) else 0.0

    def to_categories(self) -> Categories:
        """Return what the drift methods measure: the 1,000 most frequent by name, the rest as one."""
        if not self.error and len(self.counts) <= TOP:
            return Categories(counts=self.counts)
        top = dict(sorted(self.counts.items(), key=_rank)[:TOP])
        return Categories(counts=top, other=self.rows - self.nulls - sum(top.values()))


def category_sketch(column: pl.Series, kind: Kind) -> CategorySketch:
    """Return the profile of a column, whose values are taken as text."""
    counted = count_words(column)
    sketch = hll_sketch(_LG_K, tgt_hll_type.HLL_8)
    for name in counted:
        sketch.update(name)
    counts, error = _frequent(counted)
    return CategorySketch(
        kind=kind,
        rows=len(column),
        nulls=column.null_count(),
        error=error,
        counts=counts,
        hll=sketch.serialize_compact(),
    )


def merged_categories(a: CategorySketch, b: CategorySketch) -> CategorySketch:
    """Return the profile of both."""
    both = dict(a.counts)
    for name, count in b.counts.items():
        both[name] = both.get(name, 0) + count
    counts, error = _frequent(both)
    return CategorySketch(
        kind=a.kind if a.kind == b.kind else Kind.CATEGORY,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        error=a.error + b.error + error,
        counts=counts,
        hll=_union(a, b).get_result(tgt_hll_type.HLL_8).serialize_compact(),
    )


def new_categories(reference: CategorySketch, current: CategorySketch) -> int:
    """Return about how many categories only the current side has, within some percent of all of them."""
    known = _union(
        reference, reference
    )  # estimated as the union of both is: a sketch by itself, by another rule and by its order
    both = _union(reference, current)
    return max(0, round(float(both.get_estimate()) - float(known.get_estimate())))


def _union(a: CategorySketch, b: CategorySketch) -> Any:
    union = hll_union(_LG_K)
    for each in (a.hll, b.hll):
        if each:
            union.update(_sketch(each))
    return union


def count_words(column: pl.Series) -> dict[str, int]:
    """Return how often each value occurs, as text; names too long to keep are cut."""
    words = as_words(column).drop_nulls()
    counted = words.value_counts(name="rows")
    names, rows = counted[words.name].to_list(), counted["rows"].to_list()
    if not len(words) or max(map(len, names)) <= LONGEST:
        return dict(zip(names, rows, strict=True))
    cut: dict[str, int] = {}
    for name, count in zip(map(short_name, names), rows, strict=True):
        cut[name] = cut.get(name, 0) + count
    return cut


def as_words(column: pl.Series) -> pl.Series:
    """Return the values as text, whatever their type."""
    if column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary):
        return pl.Series(column.name, [None if v is None else str(v) for v in column.to_list()], dtype=pl.String)
    return column.cast(pl.String, strict=False)


def short_name(name: str) -> str:
    """Return a name of bounded length that two different long names do not share."""
    if len(name) <= LONGEST:
        return name
    return name[: LONGEST - 17] + "…" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _frequent(counted: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Return at most 2,000 of the counts, and what was taken off each."""
    if len(counted) <= CAPACITY:
        return dict(counted), 0
    ordered = sorted(counted.items(), key=_rank)
    off = ordered[CAPACITY][1]
    return {name: count - off for name, count in ordered[:CAPACITY] if count > off}, off


def _rank(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _sketch(serialised: bytes) -> hll_sketch:
    try:
        return hll_sketch.deserialize(serialised)
    except (RuntimeError, ValueError, IndexError) as error:
        raise InvalidInput(
            f"a sketch of distinct values is damaged: {error}", hint="build the profile again"
        ) from error
