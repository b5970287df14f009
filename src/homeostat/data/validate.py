"""Holds a batch against its contract: every check runs, whatever the others found."""

from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from homeostat.data.cast import cast
from homeostat.data.check import SAMPLE, Context, Violation
from homeostat.data.checks import checks
from homeostat.data.contract import Contract

__all__ = ["ContractReport", "Violation", "rows_that_break", "validate"]


class ContractReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch broke. JSON-able through `to_json`."""

    passed: bool
    rows: int
    violations: list[Violation] = []

    @property
    def summary(self) -> str:
        """The columns and rules that were broken, in one line."""
        if self.passed:
            return "all rules kept"
        told = [f"{broken.column or 'batch'}: {broken.rule}" for broken in self.violations]
        return ", ".join(told[:8]) + (f" and {len(told) - 8} more" if len(told) > 8 else "")

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out


def validate(
    frame: pl.DataFrame, contract: Contract, *, now: datetime, known_keys: pl.DataFrame | None = None
) -> ContractReport:
    """Return the report of a batch, which need not be conformed. `known_keys` are the key columns of earlier rows."""
    found = _violations(frame, contract, now=now, known_keys=known_keys)
    return ContractReport(passed=not found, rows=frame.height, violations=found)


def rows_that_break(
    frame: pl.DataFrame, contract: Contract, *, most: int, now: datetime, known_keys: pl.DataFrame | None = None
) -> pl.Series | None:
    """Return which rows break a rule, as a boolean for each; None where they are more than `most`, or where a rule is broken by the batch and not by rows of it."""
    found = _violations(frame, contract, now=now, known_keys=known_keys, named=most)
    if any(len(broken.rows) < broken.count or not broken.rows for broken in found):
        return None
    numbers = {row - 1 for broken in found for row in broken.rows}
    return pl.int_range(frame.height, eager=True).is_in(list(numbers)) if len(numbers) <= most else None


def _violations(
    frame: pl.DataFrame, contract: Contract, *, now: datetime, known_keys: pl.DataFrame | None, named: int = SAMPLE
) -> list[Violation]:
    kinds = {name: kind for name, kind in contract.kinds.items() if name in frame.columns}
    casts = {name: cast(frame[name], kind) for name, kind in kinds.items()}
    typed = frame.with_columns(done.values.alias(name) for name, done in casts.items())
    context = Context(now=now, casts=casts, names=tuple(frame.columns), known_keys=known_keys, named=named)
    return [broken for check in checks().values() for broken in check.run(typed, contract, context)]
