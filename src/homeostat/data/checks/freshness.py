"""The newest row is young enough, and no row is from before the history can reach."""

from datetime import datetime, timedelta

import polars as pl

from homeostat.core.duration import Duration
from homeostat.data.check import Check, Context, Violation, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:
    if contract.time is None or contract.time not in frame.columns:
        return []
    moments = frame[contract.time]
    if not isinstance(moments.dtype, pl.Datetime) or moments.null_count() == len(moments):
        return []
    found = []
    newest = moments.max()
    assert isinstance(newest, datetime)
    if contract.freshness_s is not None and context.now - newest > timedelta(seconds=contract.freshness_s):
        limit = Duration(seconds=contract.freshness_s)
        told = f"column '{contract.time}': the newest row is of {newest.isoformat()}, more than {limit} before {context.now.isoformat()}"
        found.append(Violation(column=contract.time, rule="freshness", count=len(moments), rows=[], message=told))
    if contract.not_before is not None:
        early = (moments < contract.not_before).fill_null(value=False)
        if early.any():
            told = (
                f"column '{contract.time}': {int(early.sum()):,} rows are from before {contract.not_before.isoformat()}"
            )
            found.append(violation(contract.time, "freshness", early, told, context=context))
    return found


CHECK = Check(name="freshness", run=run)
