"""Values are missing (null, or not a number) only where and as often as the contract allows."""

import polars as pl

from homeostat.data.check import Check, Context, Violation, missing, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:
    found = []
    for name, cast in context.casts.items():
        rule = contract.columns[name]
        limit = (1.0 if rule.max_null_share is None else rule.max_null_share) if rule.nullable in (True, None) else 0.0
        if limit >= 1 or not frame.height:
            continue
        is_missing = missing(cast.values)
        if cast.bad is not None:
            is_missing &= ~cast.bad
        share = int(is_missing.sum()) / frame.height
        if share > limit:
            allowed = f"at most {limit:.1%} may be" if limit else "none may be"
            message = f"column '{name}': {int(is_missing.sum()):,} of {frame.height:,} values are missing ({share:.1%}), {allowed}"
            found.append(violation(name, "nulls", is_missing, message, context=context))
    return found


CHECK = Check(name="nulls", run=run)
