"""pandera's validation of a table, five rules a column: `drift_pandera.py checks TABLE SMALL`; the table is in memory beforehand."""

import sys

import pandas as pd
import pandera.pandas as pa
from drift_measure import measured, tell


def schema(frame: pd.DataFrame) -> pa.DataFrameSchema:
    """Return type, presence and no nulls of each column, with bounds of numbers, the categories and the length of words."""
    columns = {}
    for name in frame.columns:
        if frame[name].dtype == object:
            rules = [pa.Check.isin(sorted(frame[name].unique())), pa.Check.str_length(0, 100)]
            columns[name] = pa.Column(str, rules, nullable=False)
        else:
            low, high = float(frame[name].min()), float(frame[name].max())
            rules = [pa.Check.ge(low), pa.Check.le(high)]
            columns[name] = pa.Column(frame[name].dtype, rules, nullable=False)
    return pa.DataFrameSchema(columns)


if __name__ == "__main__":
    _, _, table, small = sys.argv
    whole, little = pd.read_parquet(table), pd.read_parquet(small)
    rules, few = schema(whole), schema(little)
    tell(
        measured(
            lambda: {"checks": 5 * len(rules.validate(whole, lazy=True).columns)},
            warm_up=lambda: few.validate(little, lazy=True),
        )
    )
