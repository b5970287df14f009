"""How near estimates without labels come to the truth on real data: `estimate.py [--rows N]`.

US census data of Massachusetts, 2015 to 2018, with the answers of a model that was trained before (see ../shared/data/README.md). The
rows of 2015 are the labelled reference; of each 5,000 rows after them the accuracy is estimated without their labels, and compared with
what it turned out to be. `constant` says that nothing changed; the floor is what chance alone makes of the difference: what an estimate
would miss by that knows every row's true probability.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from homeostat.core.columns import Kind, Task
from homeostat.watch.encoding import encode
from homeostat.watch.estimates import estimators
from homeostat.watch.estimator import Question, Rows

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "employment_MA_2015_2018.parquet"
NOT_INPUTS = ("id", "employed", "year", "prediction", "predicted_probability")
REACH = {"cbpe": 0.0051, "pape": 0.0046}
REFERENCE = {"cbpe": 0.0051, "pape": 0.0046, "constant": 0.0087}


def rows_of(frame: pl.DataFrame, inputs: np.ndarray, *, is_labelled: bool) -> Rows:
    positive = frame["predicted_probability"].to_numpy()
    return Rows(
        inputs=inputs,
        said=frame["prediction"].to_numpy(),
        scores=np.stack([1 - positive, positive], axis=1),
        truth=frame["employed"].to_numpy() if is_labelled else None,
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000, help="rows of one estimate")
    parser.add_argument("--reference", type=int, default=20_000, help="labelled rows, spread over 2015")
    given = parser.parse_args()
    if not DATA.exists():
        say(f"left out: no {DATA.name} in ../shared/data")
        return 1
    frame = pl.read_parquet(DATA)
    known, later = frame.filter(pl.col("year") == 2015), frame.filter(pl.col("year") > 2015)
    known = known.gather(np.linspace(0, known.height - 1, min(known.height, given.reference)).astype(int))
    kinds = {
        name: Kind.FLOAT if frame[name].dtype.is_numeric() else Kind.CATEGORY
        for name in frame.columns
        if name not in NOT_INPUTS
    }
    constant = float((known["prediction"] == known["employed"]).mean())
    missed: dict[str, list[float]] = {"cbpe": [], "pape": [], "constant": [], "floor": []}
    began = time.process_time()
    for start in range(0, later.height - given.rows + 1, given.rows):
        part = later.slice(start, given.rows)
        encoded = encode(known, part, kinds)
        question = Question(
            reference=rows_of(known, encoded.reference, is_labelled=True),
            current=rows_of(part, encoded.current, is_labelled=False),
            is_category=encoded.is_category,
            metric="accuracy",
        )
        truth = float((part["prediction"] == part["employed"]).mean())
        for one in estimators(None, task=Task.BINARY, metric="accuracy"):
            guess = one.estimate(question)
            missed[one.name].append(abs(guess.value - truth))
            if one.name == "cbpe":
                missed["floor"].append(guess.spread * np.sqrt(2 / np.pi))
        missed["constant"].append(abs(constant - truth))
    found = {name: float(np.mean(values)) for name, values in missed.items()}
    say(f"mean absolute error of the estimated accuracy, {len(missed['constant'])} windows of {given.rows} rows")
    for name, value in found.items():
        say(f"  {name:<10}{value:>8.4f}" + (f"   reference {REFERENCE[name]}" if name in REFERENCE else ""))
    say(f"  {(time.process_time() - began) / len(missed['constant']):.1f} s of CPU for each window")
    failed = [name for name, reach in REACH.items() if round(found[name], 4) > reach]
    print(json.dumps({"windows": len(missed["constant"]), "mean_absolute_error": found, "missed": failed}))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
