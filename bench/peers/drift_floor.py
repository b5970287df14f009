"""The least that could compare two tables exactly: read them column by column, sort numbers, count words: `drift_floor.py report OLD NEW SMALL`."""

import sys

import numpy as np
import polars as pl
from drift_measure import measured, tell


def work(*tables: str) -> None:
    for table in tables:
        scan = pl.scan_parquet(table)
        for name, dtype in scan.collect_schema().items():
            column = scan.select(name).collect().to_series()
            if dtype == pl.String:
                column.value_counts()
            else:
                np.sort(column.to_numpy())


if __name__ == "__main__":
    _, _, old, new, small = sys.argv
    tell(measured(lambda: work(old, new), warm_up=lambda: work(small, small)))
