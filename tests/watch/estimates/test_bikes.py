"""Real data: the error of a regression, estimated week by week before its labels come."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
SPEC = importlib.util.spec_from_file_location("bench_estimate", ROOT / "bench" / "estimate.py")
BENCH = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(BENCH)
pytestmark = pytest.mark.skipif(not BENCH.BIKES.exists(), reason="no bike_sharing_hour.csv.gz beside the repository")


@pytest.mark.long
def test_in_a_world_that_stands_still_the_light_stays_on_and_the_estimate_is_nearer_than_no_change():
    told = BENCH.misses(BENCH.bike_weeks("shuffled"))
    assert told["weeks"] == 77
    assert told["dle"] < 0.9 * told["constant"], told
    assert told["red"] <= 2, told


def test_a_concept_that_changes_turns_the_light_red_as_labels_show_it():
    found = BENCH.bike_weeks("static", weeks=12)
    chance = 0.4 * (10 / BENCH.WEEK) ** 0.5
    assert found[0].calibration_error is None
    assert np.median([one.calibration_error for one in found[-4:]]) > chance + 0.06
    assert "calibration error" in found[-1].because
    assert not any(one.is_used for one in found)
