"""Confidence-based performance estimation: what calibrated scores let one expect of the metric.

J. Bialek et al. 2024, "Estimating Model Performance Under Covariate Shift Without Labels" (arXiv:2401.08348). The scores are calibrated on
the labelled reference, and every row counts with the probability of each true class. Right as long as a score means what it meant on the
reference, whatever moved in the mix of scores; blind to a change of the concept.
"""

import math

from homeostat.track.metric import CLASSIFICATION
from homeostat.watch.calibrating import calibrator
from homeostat.watch.estimator import Estimator, Guess, Question
from homeostat.watch.expected import EXPECTED, expected, spread


def estimate(question: Question) -> Guess | None:
    """Return the expected metric of the current rows; None without scores or reference labels.

    `spread` counts chance twice: in the labels of the current rows, and in those of the reference, from which the calibration was learned. A large window
    is known no better than the reference is. That scores may mean something else by now is a bias, and not in it.
    """
    known, current = question.reference, question.current
    if known.scores is None or current.scores is None or known.truth is None or not len(known) or not len(current):
        return None
    said = current.said.astype(int)
    calibrated = calibrator(known.scores, known.truth.astype(int))
    probabilities = calibrated(current.scores)
    by_chance = spread(question.metric, probabilities, said, current.scores, seed=question.seed)
    learned = spread(
        question.metric, calibrated(known.scores), known.said.astype(int), known.scores, seed=question.seed
    )
    return Guess(
        value=expected(question.metric, probabilities, said, current.scores), spread=math.hypot(by_chance, learned)
    )


ESTIMATOR = Estimator(name="cbpe", tasks=frozenset(CLASSIFICATION), metrics=EXPECTED, weighs=False, estimate=estimate)
