from datetime import UTC, datetime
from time import perf_counter

import msgspec
import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.checks import checks
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.data.validate import rows_that_break, validate

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def test_every_check_runs_whatever_the_others_found():
    contract = Contract(
        columns={
            "a": ColumnRule(kind=Kind.INTEGER, required=True, nullable=False, max=5),
            "b": ColumnRule(kind=Kind.CATEGORY, categories=["x"], max_new_category_share=0.0),
            "c": ColumnRule(kind=Kind.FLOAT, required=True),
        },
        key=["b"],
        key_unique=True,
        min_rows=10,
    )
    report = validate(pl.DataFrame({"a": ["7", None, "w"], "b": ["y", "y", "x"]}), contract, now=NOW)
    assert not report.passed
    found = {(v.column, v.rule): v.rows for v in report.violations}
    assert found == {
        ("a", "kind"): [3],
        ("a", "nulls"): [2],
        ("a", "range"): [1],
        ("b", "categories"): [1, 2],
        ("b", "unique"): [2],
        ("c", "columns"): [],
        (None, "rows"): [],
    }
    assert all(v.message for v in report.violations)
    assert "a: kind" in report.summary


def test_a_sample_of_rows_is_at_most_ten():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.INTEGER, max=0)})
    (broken,) = validate(pl.DataFrame({"a": range(1, 100)}), contract, now=NOW).violations
    assert (broken.count, broken.rows) == (99, list(range(1, 11)))


def test_rows_that_break_a_rule_are_told_apart_unless_it_is_the_batch_that_does():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.INTEGER, max=20), "b": ColumnRule(required=True)})
    frame = pl.DataFrame({"a": range(40), "b": range(40)})
    assert rows_that_break(frame, contract, most=19, now=NOW).to_list() == [n > 20 for n in range(40)]
    assert rows_that_break(frame, contract, most=18, now=NOW) is None
    assert not rows_that_break(frame.head(5), contract, most=1, now=NOW).any()
    assert rows_that_break(frame.drop("b"), contract, most=40, now=NOW) is None
    assert rows_that_break(frame, msgspec.structs.replace(contract, max_rows=39), most=40, now=NOW) is None


def test_two_hundred_rules_on_a_hundred_thousand_rows_take_half_a_second():
    rng = np.random.default_rng(0)
    rows = 100_000
    words = pl.Series([f"w{n}" for n in range(50)])
    frame = pl.DataFrame(
        {f"n{n}": rng.normal(size=rows) for n in range(30)}
        | {f"c{n}": words.gather(rng.integers(0, 50, rows)) for n in range(20)}
    )
    contract = Contract(
        columns={
            f"n{n}": ColumnRule(kind=Kind.FLOAT, required=True, nullable=False, min=-99, max=99) for n in range(30)
        }
        | {
            f"c{n}": ColumnRule(kind=Kind.CATEGORY, required=True, nullable=False, categories=words.to_list())
            for n in range(20)
        }
    )
    best = 9.0
    for _ in range(3):  # other tests may hold the cores
        start = perf_counter()
        assert validate(frame, contract, now=NOW).passed
        best = min(best, perf_counter() - start)
    assert best < 0.5


def test_every_check_has_a_test_file():
    from pathlib import Path

    folder = Path(__file__).parent / "checks"
    assert {f"test_{name}.py" for name in checks()} <= {path.name for path in folder.iterdir()}
