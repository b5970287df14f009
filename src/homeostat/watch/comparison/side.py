"""One column of one of two tables, reduced to what is compared and shown."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.cast import cast
from homeostat.watch.methods import sample_kind
from homeostat.watch.profile import ColumnSketch
from homeostat.watch.profile.category import CategorySketch, as_words
from homeostat.watch.profile.instant import TimeSketch
from homeostat.watch.profile.numeric import NumberSketch, read_ordered
from homeostat.watch.profile.text import TextSketch
from homeostat.watch.sample import Categories, ColumnSample, Floats, Numbers, sorted_numbers


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """`missing`: null or NaN, `spoilt`: not of the kind at all, `infinite`: numbers that are; the rest is in `sample`.

    `sample` is None for dates, of texts it holds the lengths. `facts` are for the page, in its order.
    """

    kind: Kind
    rows: int
    missing: int
    spoilt: int = 0
    infinite: int = 0
    sample: ColumnSample | None = None
    facts: dict[str, float | str] = field(default_factory=dict)


def side_of_rows(column: pl.Series, kind: Kind, *, like: Side | None = None) -> Side:
    """Return the column read as its kind. `like` is the reference's side, whose bins are used."""
    bins = like.sample if like is not None and isinstance(like.sample, Numbers) else None
    if sample_kind(kind) == "number":
        ordered, nulls, spoilt = read_ordered(column)
        present = int(np.searchsorted(ordered, np.nan))
        sample = sorted_numbers(ordered, like=bins)
        return Side(
            kind=kind,
            rows=len(column),
            missing=nulls + len(ordered) - present,
            spoilt=spoilt,
            infinite=present - len(sample),
            sample=sample,
            facts=_number_facts(sample),
        )
    if sample_kind(kind) == "category":
        return side_of_counts(_counted(column), kind, rows=len(column), nulls=column.null_count())
    if kind is Kind.DATETIME:
        moments = cast(column, kind).values
        least, greatest = moments.min(), moments.max()
        return Side(
            kind=kind,
            rows=len(column),
            missing=column.null_count(),
            spoilt=moments.null_count() - column.null_count(),
            facts={} if least is None else {"first": str(least), "last": str(greatest)},
        )
    lengths = sorted_numbers(
        np.sort(as_words(column).str.len_chars().drop_nulls().to_numpy().astype(np.float64)), like=bins
    )
    return Side(
        kind=kind,
        rows=len(column),
        missing=column.null_count(),
        sample=lengths,
        facts={f"length, {name}": value for name, value in _number_facts(lengths).items()},
    )


def side_of_counts(counts: Mapping[str, int], kind: Kind, *, rows: int, nulls: int) -> Side:
    """Return a column of categories of which the counts are known."""
    sample = Categories(counts=counts)
    return Side(kind=kind, rows=rows, missing=nulls, sample=sample, facts=_category_facts(sample, len(counts)))


def side_of_sketch(sketch: ColumnSketch) -> Side:
    """Return the same from a column's profile."""
    match sketch:
        case NumberSketch():
            sample = sketch.to_numbers()
            return Side(
                kind=sketch.kind,
                rows=sketch.rows,
                missing=sketch.nulls,
                spoilt=sketch.spoilt,
                infinite=sketch.infinite,
                sample=sample,
                facts=_number_facts(sample),
            )
        case CategorySketch():
            counts = sketch.to_categories()
            facts = _category_facts(counts, sketch.distinct)
            if counts.other:
                facts["in unnamed categories"] = f"{sketch.unnamed:.1%}"
            return Side(kind=sketch.kind, rows=sketch.rows, missing=sketch.nulls, sample=counts, facts=facts)
        case TimeSketch():
            facts = {} if sketch.first is None else {"first": str(sketch.first), "last": str(sketch.last)}
            return Side(kind=sketch.kind, rows=sketch.rows, missing=sketch.nulls, spoilt=sketch.spoilt, facts=facts)
        case TextSketch():
            lengths = sketch.lengths.to_numbers()
            facts = {f"length, {name}": value for name, value in _number_facts(lengths).items()}
            return Side(kind=sketch.kind, rows=sketch.rows, missing=sketch.nulls, sample=lengths, facts=facts)
        case _:
            assert_never(sketch)


def _counted(column: pl.Series) -> dict[str, int]:
    words = column if column.dtype in (pl.String, pl.Categorical, pl.Enum) else as_words(column)
    counted = words.drop_nulls().value_counts(name="rows")
    names = counted[words.name].cast(pl.String).to_list()
    return dict(zip(names, counted["rows"].to_list(), strict=True))


def _number_facts(sample: Numbers) -> dict[str, float | str]:
    if not len(sample):
        return {}
    return {
        "mean": sample.mean,
        "sd": sample.sd,
        "least": float(sample.values[0]),
        "median": _middle(sample.values),
        "greatest": float(sample.values[-1]),
    }


def _category_facts(counts: Categories, distinct: int) -> dict[str, float | str]:
    if not counts.counts:
        return {}
    often = max(counts.counts, key=lambda name: counts.counts[name])
    return {"distinct": distinct, "most frequent": often}


def _middle(ordered: Floats) -> float:
    return float(ordered[(len(ordered) - 1) // 2])
