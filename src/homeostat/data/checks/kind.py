"""Every value can be brought into the type of its column."""

import polars as pl

from homeostat.data.check import Check, Context, Violation, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:
    found = []
    for name, cast in context.casts.items():
        if cast.bad is not None:
            kind = contract.columns[name].kind
            why = cast.why or f"{int(cast.bad.sum()):,} of {frame.height:,} values are not of kind {kind}"
            found.append(violation(name, "kind", cast.bad, f"column '{name}': {why}", context=context))
    return found


CHECK = Check(name="kind", run=run)
