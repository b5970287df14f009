"""The batch has a number of rows within bounds."""

import polars as pl

from homeostat.data.check import Check, Context, Violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:  # noqa: ARG001 - every check takes a context
    rows = frame.height
    if rows < contract.min_rows:
        told = f"the batch has {rows:,} rows, at least {contract.min_rows:,} are wanted"
    elif contract.max_rows is not None and rows > contract.max_rows:
        told = f"the batch has {rows:,} rows, at most {contract.max_rows:,} are wanted"
    else:
        return []
    return [Violation(column=None, rule="rows", count=rows, rows=[], message=told)]


CHECK = Check(name="rows", run=run)
