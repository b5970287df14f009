"""Delta tables that others write: a folder with a `_delta_log`, here or in an object store."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.data.source import Ask, Source, refuse_absent, unreachable


def read(ask: Ask) -> pl.DataFrame:
    """Return the newest version. Delta itself keeps no order of rows: files come in the order of their writing where it is known."""
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError, TableNotFoundError

    if not ask.is_remote:
        refuse_absent(ask)
    try:
        table = DeltaTable(
            ask.uri if ask.is_remote else str(ask.path), storage_options=_options() if ask.is_remote else None
        )
        return _read(table, None if ask.is_remote else ask.path)
    except TableNotFoundError as error:
        raise InvalidInput(
            f"'{ask.uri}' is not a Delta table: it has no _delta_log",
            hint="for a folder of files give a glob: 'folder/*.parquet' or 'folder/*.csv'",
        ) from error
    except (DeltaError, OSError) as error:
        raise unreachable(ask, error) from error


def _read(table: Any, folder: Path | None) -> pl.DataFrame:
    """Return the rows, of a plain local table in the order of its files' writing (Polars lists the newest first)."""
    features = set(table.protocol().reader_features or ())
    if folder is None or table.metadata().partition_columns or features - {"timestampNtz"}:
        return pl.scan_delta(table).collect()
    actions = pl.DataFrame(table.get_add_actions(flatten=True)).sort("modification_time", "path")
    schema = pl.scan_delta(table).collect_schema()
    if actions.is_empty():
        return pl.DataFrame(schema=schema)
    files = [folder / unquote(path) for path in actions["path"]]
    return pl.scan_parquet(files, schema=schema, missing_columns="insert", glob=False).collect()


def _options() -> dict[str, str]:
    """Return what the environment says about the object store (credentials stay in the process)."""
    return {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "GOOGLE_"))}


def _claims(ask: Ask) -> bool:
    if not ask.is_file or any(mark in ask.uri for mark in "*?["):
        return False
    if ask.is_remote:
        return "." not in ask.uri.rstrip("/").rpartition("/")[2]
    return ask.path.is_dir() or (not ask.path.exists() and not ask.path.suffix)


SOURCE = Source(name="delta", looks_like="the folder of a Delta table", claims=_claims, read=read)
