"""whylogs' profile of a Parquet file read in pieces: `drift_whylogs.py profile TABLE SMALL`."""

import sys

import pyarrow.parquet as pq
import whylogs as why
from drift_measure import measured, tell


def profile(table: str) -> dict:
    whole, values = None, 0
    for batch in pq.ParquetFile(table).iter_batches(batch_size=65_536):
        frame = batch.to_pandas()
        values += frame.size
        part = why.log(pandas=frame).profile().view()
        whole = part if whole is None else whole.merge(part)
    return {"values": values}


if __name__ == "__main__":
    _, _, table, small = sys.argv
    tell(measured(lambda: profile(table), warm_up=lambda: profile(small)))
