"""What a check of a batch found, for the tests of checks."""

from datetime import UTC, datetime

import polars as pl

from homeostat.data.check import Violation
from homeostat.data.contract import Contract
from homeostat.data.validate import validate

NOW = datetime(2024, 5, 1, tzinfo=UTC)


def broken(
    frame: pl.DataFrame, contract: Contract, rule: str, *, known_keys: pl.DataFrame | None = None
) -> list[Violation]:
    """Return the violations of one rule."""
    report = validate(frame, contract, now=NOW, known_keys=known_keys)
    return [found for found in report.violations if found.rule == rule]
