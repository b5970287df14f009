"""What every data source must do."""

from pathlib import Path

import polars as pl
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read, sources

FRAME = pl.DataFrame({"n": [1, 2, 3], "x": [0.5, None, -1.0], "word": ["a", "ü, b", None]})


class SourceContract:
    """Inherit, set `name`, and write a frame where the returned address (and query) find it."""

    name = ""

    def write(self, frame: pl.DataFrame, folder: Path) -> tuple[str, str | None]:
        raise NotImplementedError

    def test_it_is_discovered(self) -> None:
        assert sources()[self.name].name == self.name

    def test_rows_come_back(self, tmp_path: Path) -> None:
        uri, query = self.write(FRAME, tmp_path)
        assert read(uri, query=query, root=tmp_path).equals(FRAME)

    def test_a_table_without_rows_is_refused(self, tmp_path: Path) -> None:
        uri, query = self.write(FRAME.clear(), tmp_path)
        with pytest.raises(InvalidInput, match="no rows") as caught:
            read(uri, query=query, root=tmp_path)
        assert caught.value.hint
