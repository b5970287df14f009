"""How often each detector alarms in a stream that does not change, whatever its length."""

import numpy as np
import pytest
from tests.rates.rate import Rate
from tests.watch.detectors.streams import alarms

from homeostat.watch.detectors import DETECTORS

# Alarms in 10,000 values, at most. Page-Hinkley's threshold is in units of the values: losses that stray more need a greater one.
# DDM and EDDM alarm where river's do: they err at the beginning of a stream, when little is known of it.
MOST = {**dict.fromkeys(DETECTORS, 2.0), "ddm": 20.0, "eddm": 60.0}
MOST_OF_LOSSES = {**MOST, "page_hinkley": 6.0}


def rate(name: str, n: int, *, of_losses: bool, total: int) -> Rate:
    """Return how many of so many values alarm, in streams of n values each, beside what is promised at most."""
    rng = np.random.default_rng(n)
    runs = max(1, total // n)
    streams = (rng.exponential(1.0, n) if of_losses else (rng.random(n) < 0.2).astype(float) for _ in range(runs))
    found = sum(len(alarms(name, values.tolist())) for values in streams)
    most = (MOST_OF_LOSSES if of_losses else MOST)[name]
    return Rate(alarms=found, tries=runs * n, nominal=most / 10_000, is_ceiling=True)


CASES = [(name, False) for name in DETECTORS] + [
    (name, True) for name in DETECTORS if DETECTORS[name].takes == "losses"
]
IDS = [f"{name}, {'losses' if of_losses else 'errors'}" for name, of_losses in CASES]


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
@pytest.mark.parametrize(("name", "of_losses"), CASES, ids=IDS)
def test_alarms_without_a_change_are_rare(name, of_losses, n):
    found = rate(name, n, of_losses=of_losses, total=10_000)
    assert found.is_kept, found
