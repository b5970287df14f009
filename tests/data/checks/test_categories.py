import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.data.contract import Contract
from homeostat.data.settings import ColumnRule
from homeostat.testing.contracts.checks import broken


def test_new_categories_are_allowed_up_to_their_share():
    frame = pl.DataFrame({"a": ["x", "y", None, "new"]})
    columns = {"a": ColumnRule(kind=Kind.CATEGORY, categories=["x", "y"], max_new_category_share=0.34)}
    assert broken(frame, Contract(columns=columns), "categories") == []
    columns = {"a": ColumnRule(kind=Kind.CATEGORY, categories=["x", "y"])}
    (found,) = broken(frame, Contract(columns=columns), "categories")
    assert found.rows == [4]
    assert "'new'" in found.message


@pytest.mark.parametrize(
    ("kind", "values"), [(Kind.INTEGER, [1, 2, 3]), (Kind.FLOAT, [1.0, 2.0, 3.0]), (Kind.CATEGORY, ["1", "2", "3"])]
)
def test_numbers_may_be_listed_as_categories(kind, values):
    contract = Contract(columns={"a": ColumnRule(kind=kind, categories=[1, 2])})
    (found,) = broken(pl.DataFrame({"a": values}), contract, "categories")
    assert found.rows == [3]


def test_an_empty_list_allows_none():
    contract = Contract(columns={"a": ColumnRule(kind=Kind.CATEGORY, categories=[])})
    assert broken(pl.DataFrame({"a": ["x"]}), contract, "categories")[0].count == 1
