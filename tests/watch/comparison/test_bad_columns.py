"""Whatever a table holds: a verdict that names the column, or an error that says what to do, by rows and by profiles alike."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.watch.comparison.worlds import ROWS, spoilt, world

from homeostat.app.drifting import drift_report
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.watch.settings import DriftSettings

IDS = [f"id{i}" for i in range(ROWS)]

CASES = {
    "as the reference": (spoilt(), "ok", {}),
    "a shift": (spoilt(x=pl.col("x") + 1.0), "alarm", {"x": ("alarm", "wasserstein")}),
    "a small shift": (spoilt(x=pl.col("x") + 0.3), "warn", {"x": ("warn", "wasserstein")}),
    "other shares": (
        spoilt(c=pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("blue")).otherwise(pl.col("c"))),
        "alarm",
        {"c": ("alarm", "moved")},
    ),
    "constant now": (spoilt(x=pl.lit(3.0)), "alarm", {"x": ("alarm", "wasserstein")}),
    "all null": (spoilt(x=pl.lit(None, dtype=pl.Float64)), "alarm", {"x": ("alarm", "no value")}),
    "all null, no type": (spoilt(x=pl.lit(None)), "alarm", {"x": ("alarm", "no value")}),
    "all NaN": (spoilt(x=pl.lit(math.nan)), "alarm", {"x": ("alarm", "no value")}),
    "all infinite": (spoilt(x=pl.lit(math.inf)), "alarm", {"x": ("alarm", "infinite")}),
    "some infinite": (
        spoilt(x=pl.when(pl.int_range(pl.len()) % 20 == 0).then(-math.inf).otherwise(pl.col("x"))),
        "alarm",
        {"x": ("alarm", "infinite")},
    ),
    "huge": (spoilt(x=pl.lit(1e308)), "alarm", {"x": ("alarm", "wasserstein")}),
    "words now": (spoilt(x=pl.lit("many")), "alarm", {"x": ("alarm", "held numbers, and holds words")}),
    "numbers as texts": (
        spoilt(n=pl.col("n").cast(pl.String)),
        "warn",
        {"n": ("warn", "held numbers, and holds words")},
    ),
    "numbers for words": (spoilt(c=pl.int_range(pl.len()) % 3), "alarm", {"c": ("alarm", "holds numbers now")}),
    "another kind of number": (spoilt(n=pl.col("n").cast(pl.Float32)), "ok", {}),
    "unseen categories only": (spoilt(c=pl.lit("violet")), "alarm", {"c": ("alarm", "100.00% of the rows")}),
    "some unseen categories": (
        spoilt(c=pl.when(pl.int_range(pl.len()) % 40 == 0).then(pl.lit("violet")).otherwise(pl.col("c"))),
        "alarm",
        {"c": ("alarm", "does not have")},
    ),
    "a category for each row": (spoilt(c=pl.Series(IDS)), "alarm", {"c": ("alarm", "does not have")}),
    "always true": (spoilt(b=pl.lit(value=True)), "alarm", {"b": ("alarm", "moved")}),
    "no dates": (spoilt(t=pl.lit("soon")), "alarm", {"t": ("alarm", "held dates, and holds words")}),
    "short texts": (
        spoilt(w=pl.lit("short") + pl.int_range(pl.len()).cast(pl.String)),
        "alarm",
        {"w": ("alarm", "wasserstein")},
    ),
    "gone": (spoilt(n=None), "alarm", {"n": ("alarm", "do not have it")}),
    "new": (spoilt(extra=pl.lit(1)), "warn", {"extra": ("warn", "does not have it")}),
    "lists": (spoilt(extra=pl.concat_list("x", "n")), "warn", {"extra": ("warn", "does not have it")}),
    "an odd name": (spoilt(**{"<script>alert(1)</script>": pl.lit(1)}), "warn", {}),
}


def compared(folder: Path, reference: pl.DataFrame, current: pl.DataFrame, by: str):
    reference.write_parquet(folder / "old.parquet")
    current.write_parquet(folder / "new.parquet")
    page = folder / "report.html"
    found = drift_report("old.parquet", "new.parquet", root=folder, output=page, settings=DriftSettings(), by=by)
    json.dumps(found.to_json(), allow_nan=False)
    assert "<script" not in page.read_text()
    return found


@pytest.mark.parametrize("by", ["rows", "profiles"])
@pytest.mark.parametrize("case", CASES)
def test_a_verdict_names_the_column(tmp_path, case, by):
    current, state, columns = CASES[case]
    found = compared(tmp_path, world(), current, by)
    assert found.by == by
    assert (found.state, found.current_rows) == (state, ROWS)
    by_name = {one.name: one for one in found.columns}
    for name, (wanted, because) in columns.items():
        assert by_name[name].state == wanted
        assert because in by_name[name].because
    others = {one.name: one.state for one in found.columns if one.name not in columns}
    if columns:
        assert set(others.values()) == {"ok"}, others


@pytest.mark.parametrize("by", ["rows", "profiles"])
@pytest.mark.parametrize(
    ("before", "after", "state"),
    [
        (pl.lit(5.0), pl.lit(5.0), "ok"),
        (pl.lit(5.0), pl.lit(6.0), "alarm"),
        (pl.lit(None, dtype=pl.Float64), pl.lit(None, dtype=pl.Float64), "ok"),
        (pl.lit(None, dtype=pl.Float64), pl.lit(5.0), "alarm"),
        (pl.lit(None), pl.lit("red"), "alarm"),
        (pl.lit(math.nan), pl.lit(math.nan), "ok"),
        (pl.lit(math.inf), pl.lit(math.inf), "ok"),
    ],
    ids=["same", "moved", "nothing", "nothing before", "no type before", "nan", "infinite"],
)
def test_a_reference_that_never_varied(tmp_path, before, after, state, by):
    old, new = world().select("x", odd=before), world(1).select("x", odd=after)
    assert compared(tmp_path, old, new, by).state == state


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_what_cannot_be_compared_is_listed(tmp_path, by):
    old, new = (frame.with_columns(odd=pl.struct("x", "n")) for frame in (world(), world(1)))
    found = compared(tmp_path, old, new, by)
    assert found.state == "ok"
    assert "1 could not be compared" in found.summary
    assert next(one for one in found.columns if one.name == "odd").state == "unknown"


@pytest.mark.parametrize("by", ["rows", "profiles"])
@pytest.mark.parametrize("rows", [1, 2, 99])
def test_hardly_any_rows_are_an_error_that_says_so(tmp_path, rows, by):
    with pytest.raises(NotEnoughData, match=f"{rows} values on one side, 100 are needed"):
        compared(tmp_path, world().drop("t"), world(1, rows).drop("t"), by)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_no_rows_are_an_error(tmp_path, by):
    with pytest.raises(InvalidInput, match="no rows"):
        compared(tmp_path, world(), world(1, 0), by)


@pytest.mark.parametrize("by", ["rows", "profiles"])
@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("new.csv", b"", "empty"),
        ("new.csv", b"x,n\n", "no rows"),
        ("new.csv", b"x,n\n1,2\n1\n", "field"),
        ("new.csv", b"x,x\n1,2\n", "'x'"),
        ("new.parquet", b"", "cannot be read"),
        ("new.parquet", b"PAR1 or so", "cannot be read"),
        ("new.xlsx", b"PK", "none of the kinds|neither CSV nor Parquet"),
        ("other.csv", b"x\n1\n", "no file 'new.csv'"),
    ],
    ids=["empty", "header", "ragged", "twice", "no-parquet", "half-parquet", "excel", "absent"],
)
def test_broken_files_are_errors_that_name_them(tmp_path, name, content, words, by):
    world().write_csv(tmp_path / "old.csv")
    (tmp_path / name).write_bytes(content)
    asked = "new.csv" if name == "other.csv" else name
    with pytest.raises(InvalidInput, match=words):
        drift_report("old.csv", asked, root=tmp_path, output=None, settings=DriftSettings(), by=by)


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_a_million_distinct_categories(tmp_path, by):
    """As texts that never repeat, and as categories that do."""
    rows = 1_000_000
    old = pl.DataFrame({"id": pl.int_range(rows, eager=True).cast(pl.String), "x": np.arange(rows, dtype=float)})
    new = old.with_columns(id=pl.lit("k") + pl.col("id"))
    found = compared(tmp_path, old, new, by)
    assert {one.name: one.state for one in found.columns} == {
        "id": "warn" if found.state == "warn" else "alarm",
        "x": "ok",
    }
    assert (tmp_path / "report.html").stat().st_size < 50_000


def test_categories_without_a_name_are_told(tmp_path):
    """Rare categories that are all new: by rows an alarm, by profiles a warning, and the page says what was put together."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 4_000, 80_000)
    often = rng.random(80_000) < 0.5

    def table(prefix):
        words = pl.Series(
            "c", [f"often{k % 10}" if is_often else f"{prefix}{k}" for k, is_often in zip(codes, often, strict=True)]
        )
        return words.to_frame()

    found = compared(tmp_path, table("a"), table("b"), "profiles")
    assert found.columns[0].state != "ok"
    assert "4,0" in found.columns[0].because or "3,9" in found.columns[0].because
    assert "categories are new" in found.columns[0].because
    assert "most frequent categories; others are compared as one: c (" in found.notes[0]
    found = compared(tmp_path, table("a"), table("a"), "profiles")
    assert found.columns[0].state == "ok"
    assert "in unnamed categories" in found.columns[0].reference
    assert compared(tmp_path, table("a"), table("a"), "rows").notes == []
