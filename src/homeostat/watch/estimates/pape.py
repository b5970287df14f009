"""Probabilistic adaptive performance estimation: CBPE with scores that are calibrated for the rows one has now.

J. Bialek et al. 2024, "Estimating Model Performance Under Covariate Shift Without Labels" (arXiv:2401.08348). Each reference row counts in
the calibration by the ratio of the densities, current to reference, that a domain classifier finds at its inputs: a score may mean
something else among the rows that come now. Right under covariate shift within what the reference has seen; blind to a change of the concept.
"""

from homeostat.track.metric import CLASSIFICATION
from homeostat.watch.calibrating import calibrator
from homeostat.watch.estimator import Estimator, Guess, Question
from homeostat.watch.expected import EXPECTED, expected, spread


def estimate(question: Question) -> Guess | None:
    """Return the expected metric of the current rows; None without scores, reference labels, or 50 rows on each side."""
    known, current = question.reference, question.current
    if known.scores is None or current.scores is None or known.truth is None or question.weights is None:
        return None
    said = current.said.astype(int)
    probabilities = calibrator(known.scores, known.truth.astype(int), weights=question.weights)(current.scores)
    return Guess(
        value=expected(question.metric, probabilities, said, current.scores),
        spread=spread(question.metric, probabilities, said, current.scores, seed=question.seed),
    )


ESTIMATOR = Estimator(name="pape", tasks=frozenset(CLASSIFICATION), metrics=EXPECTED, weighs=True, estimate=estimate)
