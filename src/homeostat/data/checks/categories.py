"""Categories are among those of the contract, save for the share of new ones that it allows."""

import polars as pl

from homeostat.data.check import Check, Context, Violation, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:  # noqa: ARG001 - every check takes the frame
    found = []
    for name, cast in context.casts.items():
        rule = contract.columns[name]
        if rule.categories is None:
            continue
        known = pl.Series(rule.categories, strict=False).cast(cast.values.dtype, strict=False).drop_nulls()
        is_new = ~cast.values.is_in(known.implode()).fill_null(value=True)
        share = int(is_new.sum()) / max(1, len(is_new) - cast.values.null_count())
        limit = rule.max_new_category_share or 0.0
        if share > limit:
            names = ", ".join(repr(value) for value in cast.values.filter(is_new).unique(maintain_order=True).head(5))
            message = f"column '{name}': {share:.1%} of values are new categories ({names}), at most {limit:.1%} may be"
            found.append(violation(name, "categories", is_new, message, context=context))
    return found


CHECK = Check(name="categories", run=run)
