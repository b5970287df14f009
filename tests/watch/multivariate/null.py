"""False alarms of a joint method where nothing moved: how many of so many seeds are below a level. And samples that did move."""

import numpy as np
from tests.rates.rate import Rate

from homeostat.watch.joint import JointMethod, Samples


def mixed(rng: np.random.Generator, n: int) -> np.ndarray:
    """Two numbers that follow each other, a skewed one, a count, and a word of hundreds of which most are rare."""
    x = rng.normal(size=(n, 5))
    x[:, 1] = 0.8 * x[:, 0] + 0.6 * x[:, 1]
    x[:, 2] = np.exp(x[:, 2])
    x[:, 3] = rng.poisson(3, n)
    x[:, 4] = np.minimum(rng.zipf(1.5, n), 200) - 1
    return x


def flags(rng: np.random.Generator, n: int) -> np.ndarray:
    """Three columns of zeros and ones, of which few rows differ from each other."""
    return (rng.random((n, 3)) < [0.5, 0.1, 0.3]).astype(float)


def null_rate(
    method: JointMethod, *, rows: int, tries: int, level: float = 0.05, draw=mixed, share: float = 0.0
) -> Rate:
    """Return how many p-values of pairs of samples are at most `level`. `share`: of the current rows that are in the reference too."""
    below, common = 0, int(rows * share)
    for seed in range(tries):
        rng = np.random.default_rng([rows, seed])
        x = draw(rng, 2 * rows - common)
        is_category = np.arange(x.shape[1]) == 4
        samples = Samples.of("abcde"[: x.shape[1]], x[:rows], x[rows - common :], is_category=is_category, seed=seed)
        below += method.measure(samples).p_value <= level
    return Rate(alarms=below, tries=tries, nominal=level, is_ceiling=share > 0)


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
