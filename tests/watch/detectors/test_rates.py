"""How often each detector alarms in a stream that does not change, whatever its length."""

import numpy as np
import pytest
from scipy.stats import poisson

from homeostat.watch.detectors import DETECTORS

# Alarms in 10,000 values, at most. Page-Hinkley's threshold is in units of the values: losses that stray more need a greater one.
# DDM and EDDM alarm where river's do: they err at the beginning of a stream, when little is known of it.
MOST = {**dict.fromkeys(DETECTORS, 2.0), "ddm": 20.0, "eddm": 60.0}
MOST_OF_LOSSES = {**MOST, "page_hinkley": 6.0}


def count_of(name: str, values: np.ndarray) -> int:
    found = DETECTORS[name].make()
    return sum(found.add(value) for value in values.tolist())


def assert_rate(name: str, n: int, *, of_losses: bool, total: int) -> None:
    rng = np.random.default_rng(n)
    runs = max(1, total // n)
    streams = (rng.exponential(1.0, n) if of_losses else (rng.random(n) < 0.2).astype(float) for _ in range(runs))
    alarms = sum(count_of(name, values) for values in streams)
    most = (MOST_OF_LOSSES if of_losses else MOST)[name]
    assert alarms <= poisson.ppf(0.999, most * runs * n / 10_000), f"{alarms} alarms in {runs} streams of {n} values"


CASES = [(name, False) for name in DETECTORS] + [
    (name, True) for name in DETECTORS if DETECTORS[name].takes == "losses"
]
IDS = [f"{name}, {'losses' if of_losses else 'errors'}" for name, of_losses in CASES]


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
@pytest.mark.parametrize(("name", "of_losses"), CASES, ids=IDS)
def test_alarms_without_a_change_are_rare(name, of_losses, n):
    assert_rate(name, n, of_losses=of_losses, total=10_000)
