"""Homeostat: `drift_ours.py report|profiles OLD NEW PAGE SMALL`, `drift_ours.py profile TABLE SMALL`, `drift_ours.py checks TABLE SMALL`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from drift_measure import measured, tell

from homeostat.app.drifting import drift_profile, drift_report
from homeostat.core.columns import Kind
from homeostat.data.contract import ColumnRule, Contract
from homeostat.data.validate import validate
from homeostat.watch.settings import DriftSettings

HERE = Path("/")


def report(old: str, new: str, page: str, by: str) -> dict:
    drift_report(old, new, root=HERE, output=Path(page), settings=DriftSettings(), by=by)
    return {"html_kb": Path(page).stat().st_size / 1024}


def profile(table: str) -> dict:
    found = drift_profile(table, root=HERE, output=Path(table + ".json"))
    return {"values": found.rows * len(found.columns), "kept_kb": Path(table + ".json").stat().st_size / 1024}


def contract(frame: pl.DataFrame) -> Contract:
    """Return five rules a column: of its kind, there, without nulls, and both bounds; of words the categories and how many may be new."""
    rules = {}
    for name, dtype in frame.schema.items():
        if dtype == pl.String:
            given = {
                "kind": Kind.CATEGORY,
                "categories": frame[name].unique().sort().to_list(),
                "max_new_category_share": 0.0,
            }
        else:
            kind = Kind.FLOAT if dtype.is_float() else Kind.INTEGER
            given = {"kind": kind, "min": float(frame[name].min()), "max": float(frame[name].max())}
        rules[name] = ColumnRule(required=True, nullable=False, **given)
    return Contract(columns=rules)


def checks(frame: pl.DataFrame, rules: Contract) -> dict:
    assert validate(frame, rules, now=datetime.now(UTC)).passed
    return {"checks": 5 * len(rules.columns)}


if __name__ == "__main__":
    what, given = sys.argv[1], sys.argv[2:]
    small = given.pop()
    if what == "checks":
        whole, little = pl.read_parquet(given[0]), pl.read_parquet(small)
        rules, few = contract(whole), contract(little)
        tell(measured(lambda: checks(whole, rules), warm_up=lambda: checks(little, few)))
    elif what == "profile":
        tell(measured(lambda: profile(given[0]), warm_up=lambda: profile(small)))
    else:
        by = {"report": "rows", "profiles": "profiles"}[what]
        tell(measured(lambda: report(*given, by), warm_up=lambda: report(small, small, given[2], by)))
