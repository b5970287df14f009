"""Intervals for losses, differences, calibration and shares: pure numpy, randomness only through the generator that is passed.

Means use the BCa bootstrap (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, section 14.3): losses are skewed, and for
a mean its acceleration is a closed form. Other statistics use percentiles (chapter 13). Rows in the order of time are seldom independent
(the flights of a day share its weather), so that rows are resampled in circular blocks where the losses are autocorrelated.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from homeostat.core.errors import NotEnoughData

Array: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Transform: TypeAlias = Callable[[Floats], Floats]

_MOST_DRAWS = 10_000  # blocks drawn per resample; with more rows, blocks get longer, which is as valid and costs less
_CHUNK = 1_000_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate, the ends of its two-sided interval, and its standard error."""

    estimate: float
    low: float
    high: float
    confidence: float
    error: float

    def at(self, confidence: float) -> "Interval":
        """Return the normal interval of another confidence from the standard error; for levels that resampling cannot resolve."""
        reach = _NORMAL.inv_cdf(0.5 + confidence / 2) * self.error
        return Interval(
            estimate=self.estimate,
            low=self.estimate - reach,
            high=self.estimate + reach,
            confidence=confidence,
            error=self.error,
        )

    def minus(self, constant: float) -> "Interval":
        """Return the interval of what is left when a known number is taken off."""
        return Interval(
            estimate=self.estimate - constant,
            low=self.low - constant,
            high=self.high - constant,
            confidence=self.confidence,
            error=self.error,
        )


def block_length(values: Floats) -> int:
    """Return how many consecutive rows to draw together, 1 where the values are not autocorrelated.

    The automatic choice for the circular bootstrap of D. Politis, H. White, "Automatic block-length selection for the dependent bootstrap"
    (Econometric Reviews 23, 2004), with the correction of A. Patton, D. Politis, H. White (Econometric Reviews 28, 2009).
    Cost: one FFT.
    """
    n = len(values)
    centred = values - values.mean() if n else values
    variance = float(centred @ centred) / n if n else 0.0
    if n < 20 or variance <= 1e-24 * max(1.0, float(np.abs(values).max()) ** 2):
        return 1
    quiet = max(5, math.ceil(math.sqrt(math.log10(n))))
    most_lags = math.ceil(math.sqrt(n)) + quiet
    spectrum = np.fft.rfft(centred, 2 ** math.ceil(math.log2(2 * n)))
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[: most_lags + 1] / n
    small = np.abs(covariance[1:] / covariance[0]) < 2 * math.sqrt(math.log10(n) / n)
    runs = np.convolve(small, np.ones(quiet), mode="valid") == quiet
    last = int(np.argmax(runs)) if runs.any() else int(np.flatnonzero(~small)[-1]) + 1
    if last == 0:
        return 1
    lags = np.arange(1, min(2 * last, most_lags) + 1)
    weights = np.clip(2 * (1 - lags / lags[-1]), 0.0, 1.0)
    slope = 2 * float(np.sum(weights * lags * covariance[lags]))
    level = float(covariance[0]) + 2 * float(np.sum(weights * covariance[lags]))
    longest = int(min(3 * math.sqrt(n), n / 3))
    if level <= 0 or slope <= 0:
        return 1
    return max(1, min(longest, math.ceil(math.cbrt(1.5 * slope**2 / level**2 * n))))


def mean_interval(
    values: Floats, *, rng: np.random.Generator, confidence: float = 0.95, resamples: int = 1000, block: int = 1
) -> Interval:
    """Return the BCa interval of the mean of `values`, shape (n_rows,). Raise NotEnoughData under 2 rows."""
    return difference_interval(
        values, None, rng=rng, confidence=confidence, resamples=resamples, block=block, transform=None
    )


def difference_interval(
    candidate: Floats,
    champion: Floats | None,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    block: int = 1,
    transform: Transform | None = None,
) -> Interval:
    """Return the BCa interval of mean(candidate) - mean(champion), losses of shape (n_rows,) on the same rows.

    Rows are resampled in pairs, so that what makes a row hard for both cancels. `transform` is applied to each mean first (a square root:
    the difference of two RMSE). `block`: rows drawn together, see `block_length`. NaN in, NaN out. 1,000 resamples of 50,000 rows take
    about 0.1 s.
    """
    _need_rows(len(candidate))
    columns = [candidate] if champion is None else [candidate, champion]
    if transform is None and champion is not None:
        columns = [candidate - champion]
    means = np.array([column.mean() for column in columns])
    estimate = _contrast(means[:, None], transform).item()
    if not np.isfinite(means).all():
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, confidence=confidence, error=math.nan)
    influence = _influence(columns, means, transform)
    if not influence.any():
        return Interval(estimate=estimate, low=estimate, high=estimate, confidence=confidence, error=0.0)
    drawn, draws = _resampled_means(columns, resamples=resamples, block=block, rng=rng)
    spread = _contrast(drawn, transform)
    # Resampling n of n understates the variance by (n-1)/n: T. Hesterberg, "What teachers should know about the bootstrap", 2015, section 3.2.
    spread = estimate + (spread - estimate) * math.sqrt(draws / max(1, draws - 1))
    low, high = np.quantile(spread, _bca_levels(spread, estimate, _block_sums(influence, block), confidence))
    return Interval(
        estimate=estimate, low=float(low), high=float(high), confidence=confidence, error=float(spread.std())
    )


def statistic_interval(
    statistic: Callable[[npt.NDArray[np.intp]], float],
    n_rows: int,
    *,
    rng: np.random.Generator,
    confidence: float = 0.95,
    resamples: int = 1000,
    block: int = 1,
    most_rows: int = 10_000,
) -> Interval:
    """Return the percentile interval of any statistic of rows; `statistic` gets row numbers, with repeats.

    With more than `most_rows` rows, each resample takes that many and its deviations are shrunk by sqrt(most_rows / n_rows) (m out of n
    bootstrap: P. Bickel, F. Götze, W. van Zwet, Statistica Sinica 7, 1997). A resample without an answer (NaN: one class only) is left out;
    NotEnoughData is raised where one in ten has none.
    """
    _need_rows(n_rows)
    estimate = float(statistic(np.arange(n_rows)))
    size = min(n_rows, most_rows)
    blocks = max(1, round(size / block))
    steps = np.arange(block)
    values = np.empty(resamples)
    for i in range(resamples):
        starts = rng.integers(0, n_rows, blocks)
        values[i] = statistic(((starts[:, None] + steps) % n_rows).ravel())
    known = values[np.isfinite(values)]
    if not math.isfinite(estimate):
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, confidence=confidence, error=math.nan)
    if len(known) < 0.9 * resamples:
        raise NotEnoughData(
            f"the statistic exists in only {len(known)} of {resamples} resamples of {n_rows} rows",
            hint="test on more rows, or on rows that hold every class",
        )
    centre = estimate if size == n_rows else float(known.mean())
    spread = estimate + (known - centre) * math.sqrt(blocks * block / n_rows if size < n_rows else 1.0)
    tail = (1 - confidence) / 2
    low, high = np.quantile(spread, (tail, 1 - tail))
    return Interval(
        estimate=estimate, low=float(low), high=float(high), confidence=confidence, error=float(spread.std())
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationBin:
    """Rows of like probability: how many, the mean probability that was told, the share that came true."""

    rows: int
    predicted: float
    observed: float


def calibration_bins(outcomes: Array, probabilities: Floats, *, bins: int = 15) -> list[CalibrationBin]:
    """Return up to `bins` bins of equal mass and at least about 20 rows; equal probabilities are never parted, so that there may be fewer."""
    which = _mass_bins(probabilities, bins)
    rows = np.bincount(which)
    predicted = np.bincount(which, weights=probabilities) / rows
    observed = np.bincount(which, weights=outcomes.astype(np.float64)) / rows
    return [
        CalibrationBin(rows=int(n), predicted=float(p), observed=float(o))
        for n, p, o in zip(rows, predicted, observed, strict=True)
    ]


def calibration_interval(
    outcomes: Array,
    probabilities: Floats,
    *,
    rng: np.random.Generator,
    bins: int = 15,
    confidence: float = 0.95,
    resamples: int = 500,
    block: int = 1,
) -> Interval:
    """Return the expected calibration error, in [0, 1], with its interval: outcomes 0/1 or bool, probabilities, both (n_rows,).

    Bins of equal mass (K. Nguyen, B. O'Connor, "Posterior calibration and exploratory analysis for natural language processing models",
    EMNLP 2015). The estimate is biased upwards by noise within the bins; the interval is the basic one (Davison, Hinkley, "Bootstrap methods
    and their application", 1997, section 5.2), which takes that bias off. Its low end is 0 where noise alone explains the estimate: the
    noise of outcomes drawn with the very probabilities that were told (J. Bröcker, L. Smith, "Increasing the reliability of reliability
    diagrams", Weather and Forecasting 22, 2007; here by its normal limit in each bin), or that of the resamples about each bin's own error.
    """
    _need_rows(len(outcomes))
    if not np.isfinite(probabilities).all():
        return Interval(estimate=math.nan, low=math.nan, high=math.nan, confidence=confidence, error=math.nan)
    which = _mass_bins(probabilities, bins)
    excess = probabilities - outcomes.astype(np.float64)
    sums = np.bincount(which, weights=excess)
    n, n_bins = len(excess), len(sums)
    estimate = float(np.abs(sums).sum()) / n
    rows_of = np.bincount(which)
    # Deviations from a bin's own mean understate its noise by (rows - 1) / rows.
    noise = (excess - (sums / rows_of)[which]) * np.sqrt(rows_of / np.maximum(rows_of - 1, 1))[which]
    steps = np.arange(block)
    values, noises = np.empty(resamples), np.empty(resamples)
    for i in range(resamples):
        starts = rng.integers(0, n, max(1, round(n / block)))
        rows = starts if block == 1 else ((starts[:, None] + steps) % n).ravel()
        for errors, sink in ((excess, values), (noise, noises)):
            drawn = np.bincount(which[rows], weights=errors[rows], minlength=n_bins)
            sink[i] = np.abs(drawn).sum() / len(rows)
    tail = (1 - confidence) / 2
    low, high = 2 * estimate - np.quantile(values, (1 - tail, tail))
    told = np.sqrt(np.bincount(which, weights=probabilities * (1 - probabilities)).clip(0.0))
    consistent = np.abs(rng.normal(0.0, 1.0, (resamples, n_bins)) * told).sum(axis=1) / n
    if estimate <= max(np.quantile(noises, 1 - tail), np.quantile(consistent, 1 - tail)):
        low, high = 0.0, max(high, estimate)
    return Interval(
        estimate=estimate,
        low=float(np.clip(low, 0.0, 1.0)),
        high=float(np.clip(high, 0.0, 1.0)),
        confidence=confidence,
        error=float(values.std()),
    )


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Return the score interval of a share (E. Wilson, JASA 22, 1927); no trials: [0, 1].

    >>> i = wilson(0, 10)
    >>> round(i.low, 3), round(i.high, 3)
    (0.0, 0.278)
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return Interval(estimate=math.nan, low=0.0, high=1.0, confidence=confidence, error=math.nan)
    z = _NORMAL.inv_cdf(0.5 + confidence / 2)
    share, weight = successes / trials, z * z / trials
    centre = (share + weight / 2) / (1 + weight)
    reach = z / (1 + weight) * math.sqrt(share * (1 - share) / trials + weight / trials / 4)
    return Interval(
        estimate=share,
        low=0.0 if successes == 0 else max(0.0, centre - reach),
        high=1.0 if successes == trials else min(1.0, centre + reach),
        confidence=confidence,
        error=math.sqrt(share * (1 - share) / trials),
    )


def _need_rows(n: int) -> None:
    if n < 2:
        raise NotEnoughData(f"an interval needs at least 2 rows, found {n}", hint="hold out more rows for the test")


def _contrast(means: Floats, transform: Transform | None) -> Floats:
    """First row minus the second (if there is one), each transformed."""
    values = means if transform is None else transform(means)
    first: Floats = values[0]
    return first if len(values) == 1 else first - values[1]


def _influence(columns: list[Floats], means: Floats, transform: Transform | None) -> Floats:
    """What each row adds to the statistic, to first order (the delta method), centred."""
    total = np.zeros(len(columns[0]))
    for sign, column, mean in zip((1.0, -1.0), columns, means, strict=False):
        slope = 1.0
        if transform is not None:
            step = 1e-4 * max(abs(float(mean)), 1e-12)
            ends = transform(np.array([mean - step, mean + step]))
            slope = float(ends[1] - ends[0]) / (2 * step)
        total += sign * slope * (column - mean)
    scale = max(float(np.abs(column).max()) for column in columns)
    total[np.abs(total) <= 1e-14 * scale] = 0.0
    return total


def _block_sums(values: Floats, block: int) -> Floats:
    """Sums of consecutive blocks that do not overlap; the rows left at the end are the last one."""
    return values if block == 1 else np.add.reduceat(values, np.arange(0, len(values), block))


def _resampled_means(
    columns: list[Floats], *, resamples: int, block: int, rng: np.random.Generator
) -> tuple[Floats, int]:
    """Means of shape (n_columns, resamples) of circular blocks drawn with replacement, and how many blocks each drew."""
    n = len(columns[0])
    block = max(1, min(n, block, n // 2), math.ceil(n / _MOST_DRAWS))
    draws = max(2, round(n / block))
    sources = [_circular_means(column, block) for column in columns]
    means = np.empty((len(columns), resamples))
    step = max(1, _CHUNK // draws)
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        rows = rng.integers(0, n, (stop - start, draws), dtype=np.int32 if n < 2**31 else np.int64)
        for i, source in enumerate(sources):
            means[i, start:stop] = np.take(source, rows).mean(axis=1)
    return means, draws


def _circular_means(column: Floats, block: int) -> Floats:
    """The mean of the `block` rows that start at each row, going round at the end (Politis, Romano, 1992)."""
    if block == 1:
        return column
    centre = float(column.mean())
    total = np.concatenate(([0.0], np.cumsum(np.concatenate((column, column[: block - 1])) - centre)))
    means: Floats = centre + (total[block:] - total[:-block]) / block
    return means


def _bca_levels(spread: Floats, estimate: float, influence: Floats, confidence: float) -> tuple[float, float]:
    """The two percentiles of Efron and Tibshirani's equation 14.10; acceleration from the jackknife of the mean (14.15)."""
    below = float((spread < estimate).mean() + 0.5 * (spread == estimate).mean())
    bias = _NORMAL.inv_cdf(min(max(below, 0.5 / len(spread)), 1 - 0.5 / len(spread)))
    square = float(influence @ influence)
    acceleration = float(np.sum(influence**3)) / (6 * square**1.5) if square > 0 else 0.0
    levels = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        shifted = bias + _NORMAL.inv_cdf(tail)
        levels.append(_NORMAL.cdf(bias + shifted / max(0.1, 1 - acceleration * shifted)))
    return levels[0], levels[1]


def _mass_bins(probabilities: Floats, bins: int) -> npt.NDArray[np.intp]:
    """The number of the bin of each row, without gaps; bins end between different probabilities and hold 20 rows or more."""
    bins = max(1, min(bins, len(probabilities) // 20))
    edges = np.unique(np.quantile(probabilities, np.linspace(0, 1, bins + 1)[1:-1]))
    _, which = np.unique(np.searchsorted(edges, probabilities, side="left"), return_inverse=True)
    return which
