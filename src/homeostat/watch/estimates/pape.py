"""Probabilistic adaptive performance estimation: CBPE with scores that are calibrated for the rows one has now.

J. Bialek et al. 2024, "Estimating Model Performance Under Covariate Shift Without Labels" (arXiv:2401.08348). Each reference row counts in
the calibration by the ratio of the densities, current to reference, that a domain classifier finds at its inputs: a score may mean
something else among the rows that come now. Right under covariate shift within what the reference has seen; blind to a change of the concept.
"""

import math

import numpy as np
import numpy.typing as npt

from homeostat.track.metric import CLASSIFICATION
from homeostat.watch.calibrating import calibrator
from homeostat.watch.domain import half_sample_error
from homeostat.watch.estimator import Estimator, Guess, Question
from homeostat.watch.expected import EXPECTED, expected, spread
from homeostat.watch.sample import Floats

Mask = npt.NDArray[np.bool_]

_NOTHING = 1e-6  # what is less, of the whole, says nothing of how well it is known
_TWO_SD = 0.9772498680518208  # the share of a normal distribution below two standard deviations


def estimate(question: Question) -> Guess | None:
    """Return the expected metric of the current rows; None without scores, reference labels, or 50 rows on each side.

    `spread` counts chance, and that weights and calibration are estimates themselves: both are refitted on both halves of three random halvings
    (about half a second for 2,000 rows on each side). That the classifier smooths the ratio is a bias, and not in it.
    """
    known, current = question.reference, question.current
    if known.scores is None or current.scores is None or known.truth is None or question.weights is None:
        return None
    scores, truth, said = known.scores, known.truth.astype(int), current.said.astype(int)

    def probabilities(rows: Mask, weights: Floats) -> Floats:
        assert current.scores is not None
        return calibrator(scores[rows], truth[rows], weights=weights[rows])(current.scores)

    def value(found: Floats) -> float:
        assert current.scores is not None
        return expected(question.metric, found, said, current.scores)

    whole = probabilities(np.ones(len(truth), dtype=np.bool_), question.weights)
    pairs = []
    for half, weights in question.halved():
        first, second = (np.array(value(probabilities(rows, weights))) for rows in (half == 0, half == 1))
        pairs.append((first, second))
    chance = spread(question.metric, whole, said, current.scores, seed=question.seed)
    return Guess(value=value(whole), spread=_together(chance, float(half_sample_error(pairs)), halvings=len(pairs)))


def _together(chance: float, refitted: float, *, halvings: int) -> float:
    """Return half of what covers as much as two standard deviations: `refitted` is known from a few halvings only, and may be too small.

    By Student's t with the degrees of freedom of F. E. Satterthwaite (1946, "An Approximate Distribution of Estimates of Variance Components",
    Biometrics Bulletin 2), each halving for one.

    >>> round(_together(3.0, 0.0, halvings=3), 2), round(_together(3.0, 4.0, halvings=3), 2), round(_together(0.0, 5.0, halvings=3), 2)
    (3.0, 6.02, 8.27)
    """
    from scipy.special import stdtrit

    both = math.hypot(chance, refitted)
    if refitted <= _NOTHING * both or not math.isfinite(both):
        return both
    freedom = halvings * (both / refitted) ** 4
    return both * float(stdtrit(freedom, _TWO_SD)) / 2


ESTIMATOR = Estimator(name="pape", tasks=frozenset(CLASSIFICATION), metrics=EXPECTED, weighs=True, estimate=estimate)
