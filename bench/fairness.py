"""Bias over time on real data: how differently groups fare with one model, half year by half year: `fairness.py`.

US census data of Massachusetts, 2015 to 2018, with the answers of a model that was trained before (see ../shared/data/README.md). A year's
rows have no dates: its halves are the order of the file.
"""

import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.data.profile import profile
from homeostat.watch.fairness import fairness
from homeostat.watch.groups import grouped

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "employment_MA_2015_2018.parquet"
COLUMNS = {"SEX": Kind.CATEGORY, "RAC1P": Kind.CATEGORY, "DIS": Kind.CATEGORY, "AGEP": Kind.FLOAT}
LEAST_ROWS = 500


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    if not DATA.exists():
        say(f"left out: no {DATA.name} in ../shared/data")
        return 1
    frame = pl.read_parquet(DATA)
    profiles = profile(frame.filter(pl.col("year") == 2015).select(*COLUMNS), COLUMNS).columns
    table = []
    for column in COLUMNS:
        say(f"\n{column}   (value, 95 % interval, highest and lowest group)")
        for (year,), rows in frame.group_by("year", maintain_order=True):
            for half, part in enumerate((rows.head(rows.height // 2), rows.slice(rows.height // 2))):
                found = fairness(
                    grouped(part[column], profiles[column]),
                    selected=part["prediction"].to_numpy() == 1,
                    truth=part["employed"].to_numpy() == 1,
                    score=part["predicted_probability"].to_numpy().astype(np.float64),
                    least_rows=LEAST_ROWS,
                )
                gaps = {gap.measure: gap for gap in found.gaps}
                told = "  ".join(
                    f"{name.replace('_', ' ')} {gap.value:.3f} [{gap.low:.3f}, {gap.high:.3f}] {gap.highest} - {gap.lowest}"
                    for name, gap in gaps.items()
                )
                say(f"  {year} {'ab'[half]}  {told}")
                table.append(
                    {"column": column, "year": year, "half": half} | {name: gap.value for name, gap in gaps.items()}
                )
    print(json.dumps({"least_rows": LEAST_ROWS, "table": table}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
