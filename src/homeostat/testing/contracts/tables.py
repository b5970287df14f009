"""What every table store must do."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.ports.data import TableStore


def rows(*values: int) -> pl.DataFrame:
    return pl.DataFrame({"a": values}, schema={"a": pl.Int64})


class TablesContract:
    """Inherit, and return the store under test from `tables`."""

    def tables(self, tmp_path: Path) -> TableStore:
        raise NotImplementedError

    def test_rows_come_back_in_the_order_of_their_appends(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        for start in range(0, 40, 4):
            store.append("t", rows(*range(start, start + 4)))
        assert store.read("t")["a"].to_list() == list(range(40))

    def test_every_version_can_be_read(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        assert store.version("t") is None
        first = store.append("t", rows(1))
        second = store.append("t", rows(2))
        assert store.version("t") == second
        assert store.read("t", version=first)["a"].to_list() == [1]
        assert store.read("t")["a"].to_list() == [1, 2]

    def test_what_is_not_there_is_not_found(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        with pytest.raises(NotFound, match="'flights'"):
            store.read("flights")
        store.append("flights", rows(1))
        with pytest.raises(NotFound, match="no version 7"):
            store.read("flights", version=7)
        with pytest.raises(NotFound) as caught:
            store.read("fligths")
        assert caught.value.hint == "did you mean 'flights'?"

    def test_a_key_appends_once(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        first = store.append("t", rows(1), key="k1")
        store.append("t", rows(2), key="k2")
        assert store.append("t", rows(1), key="k1") == first
        assert self.tables(tmp_path).append("t", rows(1), key="k1") == first
        assert store.read("t")["a"].to_list() == [1, 2]

    def test_a_key_of_an_undone_append_is_free_again(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        first = store.append("t", rows(1), key="k1")
        store.append("t", rows(2), key="k2")
        store.restore("t", first)
        assert store.read("t")["a"].to_list() == [1]
        assert store.append("t", rows(1), key="k1") == first
        again = store.append("t", rows(2), key="k2")
        assert store.append("t", rows(2), key="k2") == again
        assert store.read("t")["a"].to_list() == [1, 2]

    def test_restored_to_nothing_is_gone(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        store.append("t", rows(1), key="k")
        store.restore("t", None)
        assert store.version("t") is None
        store.append("t", rows(3), key="k")
        assert store.read("t")["a"].to_list() == [3]

    def test_order_survives_a_restore(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        versions = [store.append("t", rows(n)) for n in range(6)]
        store.restore("t", versions[3])
        store.append("t", rows(9))
        assert store.read("t")["a"].to_list() == [0, 1, 2, 3, 9]

    def test_new_columns_are_added_and_missing_ones_are_null(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        store.append("t", rows(1))
        store.append("t", pl.DataFrame({"a": [2], "b": ["x"]}))
        store.append("t", pl.DataFrame({"b": ["y"]}))
        assert store.read("t").to_dict(as_series=False) == {"a": [1, 2, None], "b": [None, "x", "y"]}

    def test_a_value_is_never_changed_by_the_type_of_its_column(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        store.append("t", rows(1))
        for column in ([1.5], ["x"], [datetime(2020, 1, 1, tzinfo=UTC)]):
            with pytest.raises(InvalidInput, match="column 'a'"):
                store.append("t", pl.DataFrame({"a": column}))
        store.append("t", pl.DataFrame({"a": [2.0]}))
        store.append("t", pl.DataFrame({"a": [None]}))
        assert store.read("t")["a"].to_list() == [1, 2, None]

    def test_values_of_many_types_come_back(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        frame = pl.DataFrame(
            {
                "float": [float("inf"), None, -0.0],
                "text": ["", "ü\n", None],
                "flag": [True, None, False],
                "time": [datetime(2020, 1, 1, 12, tzinfo=UTC), None, datetime(1969, 1, 1, tzinfo=UTC)],
                "odd, name; =": [1, 2, 3],
                "list": [[0.5], [], None],
            }
        )
        store.append("t", frame)
        assert store.read("t").equals(frame)

    def test_an_empty_frame_makes_a_table_of_no_rows(self, tmp_path: Path) -> None:
        store = self.tables(tmp_path)
        store.append("t", rows())
        assert store.read("t").schema == {"a": pl.Int64}
        assert store.read("t").is_empty()

    @pytest.mark.parametrize("table", ["../t", "/t", "a\\b", ""])
    def test_a_name_that_leaves_the_root_is_refused(self, tmp_path: Path, table: str) -> None:
        store = self.tables(tmp_path)
        with pytest.raises(InvalidInput):
            store.append(table, rows(1))
