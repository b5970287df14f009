import polars as pl
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read
from homeostat.testing.contracts.sources import FRAME, SourceContract


class TestDelta(SourceContract):
    name = "delta"

    def write(self, frame, folder):
        frame.write_delta(folder / "t able")
        return "t able", None


def test_rows_keep_the_order_of_their_writing(tmp_path):
    for n in range(12):
        pl.DataFrame({"n": [n]}).write_delta(tmp_path / "t", mode="append")
    assert read("t", root=tmp_path)["n"].to_list() == list(range(12))


def test_a_partitioned_table_is_read(tmp_path):
    FRAME.write_delta(tmp_path / "t", delta_write_options={"partition_by": "word"})
    assert read("t", root=tmp_path).select(FRAME.columns).sort("n").equals(FRAME)


def test_a_folder_of_files_is_no_delta_table(tmp_path):
    (tmp_path / "t").mkdir()
    with pytest.raises(InvalidInput, match="not a Delta table") as caught:
        read("t", root=tmp_path)
    assert "glob" in caught.value.hint


def test_an_absent_folder_is_named(tmp_path):
    (tmp_path / "flights").mkdir()
    with pytest.raises(InvalidInput, match="no file 'flihgts'") as caught:
        read("flihgts", root=tmp_path)
    assert caught.value.hint == "did you mean 'flights'?"
