"""False alarms of a joint method where nothing moved: how many of so many seeds are below a level, and whether that is chance."""

import numpy as np
from scipy.stats import binomtest

from homeostat.watch.joint import JointMethod, Samples


def false_alarms(method: JointMethod, *, runs: int, rows: int = 300, level: float = 0.1) -> tuple[int, bool]:
    """Return how many of `runs` p-values are below `level`, and whether so many or more are expected in one of 1,000 tests at least."""
    below = 0
    for seed in range(runs):
        rng = np.random.default_rng(1_000 + seed)
        x = rng.normal(size=(2 * rows, 4)) @ np.array([[1, 0.8, 0, 0], [0, 0.6, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
        x[:, 3] = rng.poisson(3, 2 * rows)
        below += method.measure(Samples.of("abcd", x[:rows], x[rows:], seed=seed)).p_value <= level
    return below, binomtest(below, runs, level, alternative="greater").pvalue > 0.001


def turned(rows: int, seed: int, *, by: float) -> Samples:
    """Two samples whose columns have the same distributions one by one; the correlation of the first two went from 0.9 to `by`."""
    rng = np.random.default_rng(seed)

    def sample(correlation: float) -> np.ndarray:
        x = rng.normal(size=(rows, 5))
        x[:, 1] = correlation * x[:, 0] + np.sqrt(1 - correlation**2) * x[:, 1]
        return x

    return Samples.of(["u", "v", "w", "x", "y"], sample(0.9), sample(by), seed=seed)


def shifted(rows: int, seed: int, *, by: float, columns: int = 8) -> Samples:
    rng = np.random.default_rng(seed)
    return Samples.of(
        [f"e{at}" for at in range(columns)],
        rng.normal(0, 1, (rows, columns)),
        rng.normal(by, 1, (rows, columns)),
        seed=seed,
    )
