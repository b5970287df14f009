"""A look at records of growing size: `look.py [--rows N ...] [--days D]`, 300,000, 1,000,000 and 3,000,000 rows of three days by default.

Every row has its label. Each size is looked at in a process of its own, twice: three windows are judged, then none is new. Printed are the
processor time of each look and by how much the process grew. Exit code 1 where the largest record took more than 400 MB.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import polars as pl
from deltalake import write_deltalake
from tests.watch.cases import answers, rows, truth
from tests.watch.record_world import DAY, MODEL, REFERENCE, T0, World

from homeostat.serve.table import Table
from homeostat.storage.record_rows import kept_schema_of

MOST_MB = 400
CHUNK = 100_000


def fill(root: Path, total: int, days: int) -> None:
    """Write the record's tables as compaction does, from rows that repeat."""
    kinds = rows(20_000, 50)
    found = answers(kinds)
    base = pl.DataFrame(
        {
            "features": Table.of_rows(REFERENCE.signature.columns, kinds.rows()).texts(),
            "prediction": [f'"{label}"' for label in found.labels.tolist()],
            "scores": found.scores.tolist(),
            "value": [f'"{label}"' for label in truth(kinds, 50)],
        }
    )
    rng = np.random.default_rng(0)
    for first in range(0, total, CHUNK):
        number = np.arange(first, min(first + CHUNK, total))
        drawn = base[rng.integers(0, base.height, len(number))].with_columns(
            request_id=pl.Series(number).cast(pl.String).str.pad_start(26, "r"),
            label_id=pl.Series(number).cast(pl.String).str.pad_start(26, "l"),
            row=pl.lit(0),
            seq=pl.Series(number),
            received=pl.lit(T0) + pl.Series(number / total * days * 86_400e6).cast(pl.Duration("us")),
            version=pl.lit(1),
            route=pl.lit("champion"),
            status=pl.lit("ok"),
        )
        for kind in ("predictions", "labels"):
            schema = kept_schema_of(kind)
            told = [
                (pl.col(name) if name in drawn.columns else pl.lit(None)).cast(dtype).alias(name)
                for name, dtype in schema.items()
            ]
            write_deltalake(root / "tables" / kind / MODEL, drawn.select(told), mode="append")


def look(root: Path, days: int) -> dict[str, float]:
    """Look twice and return what it took."""
    world = World(root)
    began_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    found: dict[str, float] = {}
    for name, now in (("judging", T0 + days * DAY), ("idle", T0 + days * DAY + timedelta(hours=1))):
        began = time.process_time()
        verdicts = world.look(now)
        found[f"{name}_cpu_s"] = round(time.process_time() - began, 2)
        found[f"{name}_windows"] = len(verdicts)
        if verdicts:
            found["rows_of_a_window"] = verdicts[-1].body["rows"]
    return found | {"grew_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - began_mb)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[300_000, 1_000_000, 3_000_000])
    parser.add_argument("--days", type=int, default=3)
    parser.add_argument("--at", type=Path, help=argparse.SUPPRESS)  # the child's record
    options = parser.parse_args()
    if options.at is not None:
        print(json.dumps(look(options.at, options.days)))
        return 0
    print(
        f"{'rows':>12} {'rows judged by, a window':>26} {'judging CPU s':>14} {'idle CPU s':>11} {'grew MB':>8}",
        file=sys.stderr,
    )
    found = {}
    for total in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), total, options.days)
            command = [sys.executable, __file__, "--at", folder, "--days", str(options.days)]
            told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        found[total] = told
        print(
            f"{total:12,} {told['rows_of_a_window']:26,} {told['judging_cpu_s']:14.2f} {told['idle_cpu_s']:11.2f} {told['grew_mb']:8,}",
            file=sys.stderr,
        )
    print(json.dumps({"bench": "look", **{str(total): told for total, told in found.items()}}))
    return int(found[max(found)]["grew_mb"] > MOST_MB)


if __name__ == "__main__":
    sys.exit(main())
