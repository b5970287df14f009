"""Parquet files."""

import io

import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.data.source import Ask, Source, content


def read(ask: Ask) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(content(ask)), glob=False)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"'{ask.uri}' is not a readable Parquet file: {reason}",
            hint="it is damaged or of another format: write it again",
        ) from error


def _claims(ask: Ask) -> bool:
    is_parquet = ask.uri.lower().endswith((".parquet", ".pq"))
    return ask.is_file and is_parquet and not any(mark in ask.uri for mark in "*?[")


SOURCE = Source(name="parquet", looks_like="a Parquet file (.parquet)", claims=_claims, read=read)
