"""NannyML's univariate drift from two Parquet files to a page of its plots: `drift_nannyml.py report REFERENCE CURRENT PAGE SMALL`.

Wasserstein for numbers, Jensen-Shannon for categories, the current rows as one chunk.
"""

import sys
from pathlib import Path

import nannyml
import pandas as pd
from drift_measure import measured, tell


def report(reference: str, current: str, page: str) -> dict:
    old, new = pd.read_parquet(reference), pd.read_parquet(current)
    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(old.columns),
        continuous_methods=["wasserstein"],
        categorical_methods=["jensen_shannon"],
        chunk_number=1,
    )
    found = calculator.fit(old).calculate(new)
    found.plot(kind="drift").write_html(page)
    return {"html_kb": Path(page).stat().st_size / 1024}


if __name__ == "__main__":
    _, _, old, new, page, small = sys.argv
    tell(measured(lambda: report(old, new, page), warm_up=lambda: report(small, small, page)))
