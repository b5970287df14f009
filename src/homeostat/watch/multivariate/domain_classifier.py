"""How well a classifier tells the two samples apart, on rows that it has not learned from."""

import math

import numpy as np
import numpy.typing as npt

from homeostat.watch.domain import told_ahead
from homeostat.watch.joint import JointMeasure, JointMethod, Samples, permutation_p_value, permuted_differences
from homeostat.watch.sample import Floats


def measure(samples: Samples) -> JointMeasure:
    """Return the out-of-fold area under the ROC curve, 0.5 where there is nothing to tell, and the columns it rests on most.

    D. Lopez-Paz and M. Oquab 2017, "Revisiting Classifier Two-Sample Tests" (ICLR). Columns that carry a tenth of the area above 0.5 or more are
    named, at most five.

    The p-value is not that area's. Rows that are judged by each other's lessons agree where chance misled them, and their scores, permuted as if
    they were independent, alarm too often. So the second third of the rows is judged by what the first taught, and the last by what both did:
    whatever came before, a third's p-value is then uniform where nothing moved, and both together are one by Fisher's product.
    """
    apart = samples.apart
    is_current = np.repeat([False, True], [len(apart.reference), len(apart.current)])
    second, last = (apart.fold == number for number in (1, 2))
    said = np.concatenate([apart.reference, apart.current])
    said[second] = told_ahead(
        samples.reference,
        samples.current,
        is_category=samples.is_category,
        learned=apart.fold == 0,
        asked=second,
        seed=samples.seed,
    )
    product = math.prod(
        _p_value(said[part], is_current[part], seed=samples.seed + at) for at, part in enumerate((second, last))
    )
    order = np.argsort(-apart.shares)
    named = tuple(samples.names[place] for place in order[:5] if apart.shares[place] >= 0.1)
    return JointMeasure(effect=apart.auc, p_value=product * (1.0 - math.log(product)), columns=named)


def _p_value(scores: Floats, is_current: npt.NDArray[np.bool_], *, seed: int) -> float:
    """Return the permutation p-value of the mean rank of current rows, of which the area is a measure."""
    n = int(np.sum(~is_current))
    if n in (0, len(scores)):
        return 1.0
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(size) - (size - 1) / 2.0)[group]
    ordered = np.concatenate([ranks[~is_current], ranks[is_current]])
    observed = float(ordered[n:].mean() - ordered[:n].mean())
    return permutation_p_value(observed, permuted_differences(ordered, n, seed=seed))


METHOD = JointMethod(name="domain_classifier", warn=0.60, alarm=0.70, measure=measure)
