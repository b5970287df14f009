"""Columns that are required are there; others only where the contract allows them."""

import polars as pl

from homeostat.data.check import Check, Context, Violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:
    absent = [name for name, rule in contract.columns.items() if rule.required and name not in context.names]
    extra = [] if contract.allow_extra_columns else [name for name in context.names if name not in contract.columns]
    return [
        Violation(column=name, rule="columns", count=frame.height, rows=[], message=f"column '{name}' is missing")
        for name in absent
    ] + [
        Violation(column=name, rule="columns", count=frame.height, rows=[], message=f"column '{name}' is not expected")
        for name in extra
    ]


CHECK = Check(name="columns", run=run)
