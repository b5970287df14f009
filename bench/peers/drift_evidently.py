"""Evidently's data drift preset from two Parquet files to an HTML page: `drift_evidently.py report REFERENCE CURRENT PAGE SMALL`."""

import sys
from pathlib import Path

import pandas as pd
from drift_measure import measured, tell
from evidently import Report
from evidently.presets import DataDriftPreset


def report(reference: str, current: str, page: str) -> dict:
    old, new = pd.read_parquet(reference), pd.read_parquet(current)
    preset = DataDriftPreset(num_method="wasserstein", cat_method="jensenshannon")
    Report([preset]).run(new, old).save_html(page)
    return {"html_kb": Path(page).stat().st_size / 1024}


if __name__ == "__main__":
    _, _, old, new, page, small = sys.argv
    tell(measured(lambda: report(old, new, page), warm_up=lambda: report(small, small, page)))
