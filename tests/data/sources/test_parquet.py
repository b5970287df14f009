import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read
from homeostat.testing.contracts.sources import SourceContract


class TestParquet(SourceContract):
    name = "parquet"

    def write(self, frame, folder):
        frame.write_parquet(folder / "t.parquet")
        return "t.parquet", None


def test_a_damaged_file_is_named(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(InvalidInput, match=r"'t\.parquet' is not a readable Parquet file"):
        read("t.parquet", root=tmp_path)


def test_an_empty_file_is_said_to_be_empty(tmp_path):
    (tmp_path / "t.parquet").touch()
    with pytest.raises(InvalidInput, match="is empty"):
        read("t.parquet", root=tmp_path)
