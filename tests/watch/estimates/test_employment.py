"""Real data: US census rows with the answers of a model that was trained before."""

import importlib.util
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.watch.encoding import encode
from homeostat.watch.estimates.cbpe import ESTIMATOR as CBPE
from homeostat.watch.estimates.pape import ESTIMATOR as PAPE
from homeostat.watch.estimator import Question

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("bench_estimate", ROOT / "bench" / "estimate.py")
BENCH = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BENCH)


@pytest.mark.skipif(not BENCH.DATA.exists(), reason="no employment_MA_2015_2018.parquet beside the repository")
def test_estimates_miss_realised_accuracy_by_less_than_no_change_does():
    frame = pl.read_parquet(BENCH.DATA)
    known, later = frame.filter(pl.col("year") == 2015), frame.filter(pl.col("year") > 2015)
    known = known.gather(np.linspace(0, known.height - 1, 10_000).astype(int))
    kinds = {"AGEP": Kind.FLOAT, **dict.fromkeys(("SCHL", "MAR", "RELP", "DIS", "ESP"), Kind.CATEGORY)}
    constant = float((known["prediction"] == known["employed"]).mean())
    missed: dict[str, list[float]] = {"cbpe": [], "pape": [], "constant": []}
    for number, start in enumerate(range(0, later.height - 5_000, 5_000)):
        part = later.slice(start, 5_000)
        encoded = encode(known, part, kinds)
        asked = Question(
            reference=BENCH.rows_of(known, encoded.reference, is_labelled=True),
            current=BENCH.rows_of(part, encoded.current, is_labelled=False),
            is_category=encoded.is_category,
            metric="accuracy",
        )
        realised = float((part["prediction"] == part["employed"]).mean())
        missed["cbpe"].append(abs(CBPE.estimate(asked).value - realised))
        missed["constant"].append(abs(constant - realised))
        if number % 10 == 0:  # it fits a classifier for each
            missed["pape"].append(abs(PAPE.estimate(asked).value - realised))
    means = {name: float(np.mean(values)) for name, values in missed.items()}
    assert means["cbpe"] < 0.0065, means
    assert means["pape"] < 0.0075, means
    assert means["cbpe"] < 0.75 * means["constant"], means
