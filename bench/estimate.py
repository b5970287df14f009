"""How near estimates without labels come to the truth on real data: `estimate.py [--rows N]`.

US census data of Massachusetts, 2015 to 2018, with the answers of a model that was trained before (see ../shared/data/README.md). The
rows of 2015 are the labelled reference; of each 5,000 rows after them the accuracy is estimated without their labels, and compared with
what it turned out to be. `constant` says that nothing changed; the floor is what chance alone makes of the difference: what an estimate
would miss by that knows every row's true probability.

And bike_sharing, a regression, week by week: the mean absolute error is estimated (DLE) in a world that stands still (rows shuffled), for a model that
is retrained every four weeks on the half year before, and for one that is never retrained, while the business grows (a changed concept, which no
estimate sees without labels: there the light must say so). `used` are the windows in which it counts: no red light, no worse record than `constant`.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from homeostat.core.columns import Kind, Task
from homeostat.track.predictions import Predictions
from homeostat.watch.baseline import baseline_of
from homeostat.watch.encoding import encode
from homeostat.watch.estimate import Estimate
from homeostat.watch.estimates import estimators
from homeostat.watch.estimating import estimated
from homeostat.watch.estimator import Question, Rows
from homeostat.watch.observe import observe
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import DriftSettings, WatchSettings
from homeostat.watch.verdict import Verdict

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
DATA = SHARED / "employment_MA_2015_2018.parquet"
BIKES = SHARED / "bike_sharing_hour.csv.gz"
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


WEEK = 168
FIRST, EVERY = 26, 4  # weeks: learned from, and between retrainings
BIKE_KINDS = dict.fromkeys(("temp", "atemp", "hum", "windspeed"), Kind.FLOAT) | dict.fromkeys(
    ("hr", "weekday", "workingday", "weathersit"), Kind.INTEGER
)
_SETTINGS = WatchSettings(drift=DriftSettings(joint=[]), detectors=[])


def bike_weeks(world: str, *, weeks: int | None = None) -> list[Estimate]:
    """Return the estimate of each week, scored by its labels, in a world: `shuffled`, `retrained` or `static`."""
    frame = pl.read_csv(BIKES)
    if world == "shuffled":
        frame = frame[np.random.default_rng(0).permutation(frame.height)]
    last = min(frame.height // WEEK, FIRST + (weeks or frame.height))
    found: list[Estimate] = []
    begins = range(FIRST, last, EVERY if world == "retrained" else last)
    for begin in begins:
        version = _Version(frame[(begin - FIRST) * WEEK : begin * WEEK])
        until = min(last, begin + EVERY) if world == "retrained" else last
        found += version.watched([frame[week * WEEK : (week + 1) * WEEK] for week in range(begin, until)])
    return found


class _Version:
    """A model of some rows, every fifth of which is held out."""

    def __init__(self, rows: pl.DataFrame) -> None:
        held_out, learned = rows.gather_every(5), rows.filter(pl.int_range(pl.len()) % 5 != 0)
        with threadpool_limits(1):
            self.model = HistGradientBoostingRegressor(loss="absolute_error", max_iter=40, random_state=0)
            self.model.fit(_numbers(learned), learned["cnt"].to_numpy())
        given = (held_out, held_out["cnt"].to_numpy().astype(np.float64), self.answers(held_out))
        self.reference = build_reference(*given, kinds=BIKE_KINDS, task=Task.REGRESSION, metric="mae", version=1)
        self.baseline = baseline_of(*given, kinds=BIKE_KINDS, task=Task.REGRESSION)

    def answers(self, rows: pl.DataFrame) -> Predictions:
        with threadpool_limits(1):
            return Predictions(labels=self.model.predict(_numbers(rows)))

    def watched(self, weeks: list[pl.DataFrame]) -> list[Estimate]:
        earlier: list[Verdict] = []
        for rows in weeks:
            features, y = rows.select(list(BIKE_KINDS)), rows["cnt"].to_numpy().astype(np.float64)
            answers, reference = self.answers(rows), self.reference
            verdict = observe(features, reference=reference, predictions=answers, y=y, settings=_SETTINGS)
            earlier.append(
                estimated(
                    verdict,
                    features,
                    answers,
                    truth=pl.Series("label", y),
                    baseline=self.baseline,
                    reference=reference,
                    settings=_SETTINGS,
                    earlier=earlier,
                )
            )
        return [one for verdict in earlier for one in verdict.estimates]


def _numbers(rows: pl.DataFrame) -> np.ndarray:
    return rows.select(pl.col(name).cast(pl.Float64) for name in BIKE_KINDS).to_numpy()


def misses(found: list[Estimate]) -> dict[str, float]:
    """Return the mean absolute error of estimates and of `constant`, in all weeks and in those where the estimate is used."""
    used = [one for one in found if one.is_used]

    def mean(values: list[float]) -> float:
        return float(np.mean(values)) if values else float("nan")

    return {
        "weeks": len(found),
        "realised": mean([one.realised for one in found]),
        "dle": mean([abs(one.value - one.realised) for one in found]),
        "constant": mean([abs(one.was - one.realised) for one in found]),
        "used": len(used),
        "red": sum(one.light == "red" for one in found),
        "dle_used": mean([abs(one.value - one.realised) for one in used]),
        "constant_used": mean([abs(one.was - one.realised) for one in used]),
    }


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
    bikes = {}
    if BIKES.exists():
        say("mean absolute error of the estimated mean absolute error, week by week (bike_sharing)")
        say(
            f"  {'':<10}{'weeks':>7}{'realised':>10}{'dle':>8}{'constant':>10}{'red':>6}{'used':>6}{'dle':>8}{'constant':>10}"
        )
        for world in ("shuffled", "retrained", "static"):
            told = bikes[world] = misses(bike_weeks(world))
            say(
                f"  {world:<10}{told['weeks']:>7.0f}{told['realised']:>10.1f}{told['dle']:>8.2f}{told['constant']:>10.2f}"
                f"{told['red']:>6.0f}{told['used']:>6.0f}{told['dle_used']:>8.2f}{told['constant_used']:>10.2f}"
            )
        failed += [] if bikes["shuffled"]["dle"] < bikes["shuffled"]["constant"] else ["dle"]
    print(
        json.dumps({"windows": len(missed["constant"]), "mean_absolute_error": found, "bikes": bikes, "missed": failed})
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
