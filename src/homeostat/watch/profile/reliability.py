"""Probabilities as a profile: how many fell in each of 20 bins, and beside labels what was promised and what came in each."""

import msgspec
import numpy as np

from homeostat.core.errors import InvalidInput
from homeostat.watch.sample import Floats

BINS = 20
EDGES = np.arange(1, BINS) / BINS  # inner edges, fixed: any two profiles can be put together


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Histogram of probabilities, each list of length 20: bin i holds those above i / 20 up to (i + 1) / 20, the first also 0.

    `counts` are of all rows, `labelled` of those with a label; `promised` is the sum of these rows' probabilities, `came` how often the class came true.
    """

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    labelled: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)
    promised: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)
    came: list[int] = msgspec.field(default_factory=lambda: [0] * BINS)

    def __post_init__(self) -> None:
        if {len(self.counts), len(self.labelled), len(self.promised), len(self.came)} != {BINS}:
            raise ValueError(f"a profile of probabilities has {BINS} bins")

    @property
    def rows(self) -> int:
        return sum(self.counts)

    @property
    def error(self) -> float | None:
        """The expected calibration error: mean distance of what was promised and what came, in [0, 1]; None without labels.

        Naeini, Cooper and Hauskrecht 2015, "Obtaining Well Calibrated Probabilities Using Bayesian Binning" (AAAI), over bins of equal width.
        """
        labelled = sum(self.labelled)
        return float(np.abs(np.subtract(self.promised, self.came)).sum()) / labelled if labelled else None

    @property
    def rate(self) -> float | None:
        """The share of labelled rows whose class came true; None without labels."""
        labelled = sum(self.labelled)
        return sum(self.came) / labelled if labelled else None

    @property
    def expected(self) -> float | None:
        """The mean probability of labelled rows, which their rate should be near; None without labels."""
        labelled = sum(self.labelled)
        return sum(self.promised) / labelled if labelled else None


def reliability_of(probabilities: Floats, came: Floats | None = None) -> Reliability:
    """Return the profile of probabilities in [0, 1], shape (n,). `came`, of the same shape: 1 where it came true, 0 where not, NaN where no label is known.

    >>> found = reliability_of(np.array([0.0, 0.05, 0.9]), np.array([0.0, 1.0, np.nan]))
    >>> found.counts[0], found.labelled[0], found.promised[0], found.came[0], found.error
    (2, 2, 0.05, 1, 0.475)
    """
    bins = np.searchsorted(EDGES, probabilities, side="left")
    counts = np.bincount(bins, minlength=BINS)
    if came is None:
        return Reliability(counts=counts.tolist())
    known = ~np.isnan(came)
    bins, probabilities, came = bins[known], probabilities[known], came[known]
    return Reliability(
        counts=counts.tolist(),
        labelled=np.bincount(bins, minlength=BINS).tolist(),
        promised=np.bincount(bins, weights=probabilities, minlength=BINS).tolist(),
        came=np.bincount(bins, weights=came, minlength=BINS).astype(np.int64).tolist(),
    )


def merged_reliability(a: Reliability | None, b: Reliability | None) -> Reliability | None:
    """Return the profile of both; raise InvalidInput where only one has probabilities."""
    if a is None or b is None:
        if a is not b:
            raise InvalidInput("only one of two profiles has probabilities", hint="profile the same columns")
        return None
    return Reliability(
        counts=[x + y for x, y in zip(a.counts, b.counts, strict=True)],
        labelled=[x + y for x, y in zip(a.labelled, b.labelled, strict=True)],
        promised=[x + y for x, y in zip(a.promised, b.promised, strict=True)],
        came=[x + y for x, y in zip(a.came, b.came, strict=True)],
    )
