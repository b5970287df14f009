import polars as pl
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read
from homeostat.testing.contracts.sources import SourceContract


class TestGlob(SourceContract):
    name = "glob"

    def write(self, frame, folder):
        frame.head(2).write_parquet(folder / "1.parquet")
        frame.tail(-2).write_parquet(folder / "2.parquet")
        return "*.parquet", None

    def test_a_table_without_rows_is_refused(self, tmp_path):
        super().test_a_table_without_rows_is_refused(tmp_path)


def test_integers_and_fractions_agree_on_fractions(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,a\n")
    (tmp_path / "b.csv.gz").write_text("y,x\nb,0.5\n")
    frame = read("*.csv*", root=tmp_path)
    assert frame.to_dict(as_series=False) == {"x": [1.0, 0.5], "y": ["a", "b"]}


def test_the_file_with_other_columns_is_named(tmp_path):
    for name, columns in (("a", "x,y"), ("b", "x,y"), ("c", "x,z")):
        (tmp_path / f"{name}.csv").write_text(f"{columns}\n1,2\n")
    with pytest.raises(
        InvalidInput, match=r"c\.csv' does not have the columns of .*a\.csv': it lacks 'y' and adds 'z'"
    ):
        read("*.csv", root=tmp_path)


def test_the_column_of_another_type_is_named(tmp_path):
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "a.parquet")
    pl.DataFrame({"x": ["w"]}).write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InvalidInput, match=r"column 'x' is String in .*b\.parquet', but Int64 in .*a\.parquet"):
        read("*.parquet", root=tmp_path)


def test_a_column_without_values_agrees_with_any(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n,a\n")
    (tmp_path / "b.csv").write_text("x,y\n1,b\n")
    assert read("*.csv", root=tmp_path)["x"].to_list() == [None, 1]


def test_no_match_is_said(tmp_path):
    with pytest.raises(InvalidInput, match="no file matches"):
        read("*.csv", root=tmp_path)
