"""Keys and columns that must be unique are: in the batch, and keys also against earlier rows."""

import polars as pl

from homeostat.data.check import Check, Context, Violation, violation
from homeostat.data.contract import Contract


def run(frame: pl.DataFrame, contract: Contract, context: Context) -> list[Violation]:
    found = [
        _repeated(frame.select(name), f"column '{name}'", name, context)
        for name, rule in contract.columns.items()
        if rule.unique and name in frame.columns
    ]
    key = contract.key
    if key and contract.key_unique and all(name in frame.columns for name in key):
        label = key[0] if len(key) == 1 else None
        found.append(_repeated(frame.select(key), f"key ({', '.join(key)})", label, context))
        if context.known_keys is not None:
            found.append(_known(frame.select(key), context.known_keys.select(key), label, context))
    return [one for one in found if one.count]


def _repeated(keys: pl.DataFrame, what: str, label: str | None, context: Context) -> Violation:
    rows = keys.to_struct("key")
    again = ~rows.is_first_distinct() & ~keys.select(pl.all_horizontal(pl.all().is_null())).to_series()
    return violation(
        label, "unique", again, f"{what}: {int(again.sum()):,} rows repeat a value that must be unique", context=context
    )


def _known(keys: pl.DataFrame, known: pl.DataFrame, label: str | None, context: Context) -> Violation:
    known = known.unique().with_columns(_known=True)
    seen = keys.join(known, on=keys.columns, how="left", maintain_order="left")["_known"].fill_null(value=False)
    return violation(
        label,
        "unique",
        seen,
        f"key ({', '.join(keys.columns)}): {int(seen.sum()):,} rows are in the data already",
        context=context,
    )


CHECK = Check(name="unique", run=run)
