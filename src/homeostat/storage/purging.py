"""Writing a Delta table without some of its rows, so that nothing of them stays on the disk.

A table keeps old files for readers of old versions, and its log keeps the least and greatest value of every column of every file. Both go.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.storage.delta_log import FOLDER

if TYPE_CHECKING:
    import polars as pl

_ENTRY = re.compile(r"(\d{20})\..*")


def replace(place: Path, rows: "pl.DataFrame") -> None:
    """Let the table in a folder hold these rows and no others, in one commit, then remove what was before. Writers' positions stay."""
    from deltalake import write_deltalake

    write_deltalake(str(place), rows, mode="overwrite", schema_mode="overwrite")
    purge(place)


def purge(place: Path) -> None:
    """Remove every file that the newest version of a table does not name, and the log before it."""
    from deltalake import DeltaTable

    if not (place / FOLDER).is_dir() or not DeltaTable.is_deltatable(str(place)):
        return
    table = DeltaTable(place)
    if len({entry.name[:20] for entry in (place / FOLDER).glob("*.json")}) > 1:
        table.create_checkpoint()
        for entry in (place / FOLDER).iterdir():
            found = _ENTRY.fullmatch(entry.name)
            if found is not None and int(found[1]) < table.version():
                entry.unlink()
    named = {Path(uri).name for uri in table.file_uris()}
    for file in place.glob("*.parquet"):
        if file.name not in named:
            with suppress(FileNotFoundError):
                file.unlink()
