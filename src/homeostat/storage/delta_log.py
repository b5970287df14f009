"""What a Delta table says of itself: the files that hold its rows, and how far each writer has come.

The control process looks at the record every few seconds for ever, and delta-rs's runtime would take 40 MB of it that never come back.
So the log is read here: JSON commits and the checkpoints that delta-rs writes (Delta Lake transaction log protocol, reader version 1).
Writing is delta-rs's.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from homeostat.core.errors import InvalidInput

FOLDER = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint\.parquet")
_READER = 1
_TRIES = 3


@dataclass(slots=True)
class Snapshot:
    """A table at one version. `transactions`: the greatest number of each application's transactions."""

    version: int
    files: dict[str, None] = field(default_factory=dict)
    transactions: dict[str, int] = field(default_factory=dict)

    def take(self, action: dict[str, Any]) -> None:
        """Apply an action of the log; those of one kind and name supersede each other."""
        if (add := action.get("add")) is not None:
            self.files[unquote(add["path"])] = None
        elif (remove := action.get("remove")) is not None:
            self.files.pop(unquote(remove["path"]), None)
        elif (txn := action.get("txn")) is not None:
            self.transactions[txn["appId"]] = int(txn["version"])
        elif (protocol := action.get("protocol")) is not None and protocol["minReaderVersion"] > _READER:
            raise InvalidInput(
                f"the record's table asks for a reader of version {protocol['minReaderVersion']}: something else has written to it",
                hint="restore it from a backup; tables below .homeostat/records are for reading only",
            )


def newest_commit(folder: Path) -> str:
    """Return the name of the newest commit, empty where there is no table. Costs one listing."""
    return max((path.name for path in (folder / FOLDER).glob("*.json") if _COMMIT.fullmatch(path.name)), default="")


def snapshot(folder: Path) -> Snapshot | None:
    """Return the newest version of the table in a folder, None where there is none."""
    for _ in range(_TRIES - 1):
        try:
            return _snapshot(folder / FOLDER)
        except FileNotFoundError:
            continue  # a checkpoint has just taken the place of old commits
    return _snapshot(folder / FOLDER)


def _snapshot(log: Path) -> Snapshot | None:
    if not log.is_dir():
        return None
    names = [path.name for path in log.iterdir()]
    commits = sorted(int(found[1]) for name in names if (found := _COMMIT.fullmatch(name)))
    checkpoints = [int(found[1]) for name in names if (found := _CHECKPOINT.fullmatch(name))]
    if not commits and not checkpoints:
        return None
    since = max(checkpoints, default=-1)
    table = Snapshot(max([since, *commits]))
    if checkpoints:
        _take_checkpoint(table, log / f"{since:020d}.checkpoint.parquet")
    for commit in commits:
        if commit > since:
            for line in (log / f"{commit:020d}.json").read_text(encoding="utf-8").splitlines():
                table.take(json.loads(line))
    return table


def _take_checkpoint(table: Snapshot, file: Path) -> None:
    import polars as pl

    rows = pl.read_parquet(file, columns=["add", "txn", "protocol"])
    wanted = {"add": ["path"], "txn": ["appId", "version"], "protocol": ["minReaderVersion"]}
    for kind, names in wanted.items():
        parts = rows.select(pl.col(kind).struct.field(*names)).filter(pl.col(names[0]).is_not_null())
        for part in parts.iter_rows(named=True):
            table.take({kind: part})
