"""Numbers lie between the bounds of their column, both included."""

import polars as pl

from homeostat.data.check import Check, Context, Violation, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:  # noqa: ARG001 - every check takes the frame
    found = []
    for name, cast in context.casts.items():
        rule = contract.columns[name]
        if not cast.values.dtype.is_numeric():
            continue
        values = cast.values.fill_nan(None) if cast.values.dtype.is_float() else cast.values
        for bound, broken, word in (
            (rule.min, None if rule.min is None else values < rule.min, "below"),
            (rule.max, None if rule.max is None else values > rule.max, "above"),
        ):
            if broken is not None and broken.any():
                worst = values.min() if word == "below" else values.max()
                message = (
                    f"column '{name}': {int(broken.sum()):,} values are {word} {bound:g} (the farthest is {worst!r})"
                )
                found.append(violation(name, "range", broken, message, context=context))
    return found


CHECK = Check(name="range", run=run)
