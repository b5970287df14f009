from datetime import timedelta

import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import NOW, broken

COLUMNS = {"t": ColumnRule(kind=Kind.DATETIME)}


def test_the_newest_row_must_be_young_enough():
    contract = Contract(columns=COLUMNS, time="t", freshness_s=86400.0)
    old, young = NOW - timedelta(days=9), NOW - timedelta(hours=23)
    assert broken(pl.DataFrame({"t": [old, young, None]}), contract, "freshness") == []
    (found,) = broken(pl.DataFrame({"t": [old, old]}), contract, "freshness")
    assert "more than 1d before" in found.message


def test_rows_from_before_the_history_are_named():
    contract = Contract(columns=COLUMNS, time="t", not_before=NOW)
    (found,) = broken(pl.DataFrame({"t": [NOW, NOW - timedelta(days=20_000), None]}), contract, "freshness")
    assert found.rows == [2]


def test_a_batch_without_times_has_no_age():
    contract = Contract(columns=COLUMNS, time="t", freshness_s=1.0, not_before=NOW)
    assert broken(pl.DataFrame({"t": [None]}), contract, "freshness") == []
    assert broken(pl.DataFrame({"x": [None]}), contract, "freshness") == []
