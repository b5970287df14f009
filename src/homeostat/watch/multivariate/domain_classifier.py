"""How well a classifier tells the two samples apart, on rows that it has not learned from."""

import numpy as np

from homeostat.watch.joint import PERMUTATIONS, JointMeasure, JointMethod, Samples, permutation_p_value, permuted_signs


def measure(samples: Samples) -> JointMeasure:
    """Return the out-of-fold area under the ROC curve, 0.5 where there is nothing to tell, and the columns it rests on most.

    D. Lopez-Paz and M. Oquab 2017, "Revisiting Classifier Two-Sample Tests" (ICLR). The p-value permutes the samples over the rows' scores: the
    area is a difference of mean ranks. Columns that carry a tenth of the area above 0.5 or more are named, at most five.
    """
    apart = samples.apart
    n, m = len(apart.reference), len(apart.current)
    scores = np.concatenate([apart.reference, apart.current])
    _, group, size = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(size) - (size - 1) / 2.0)[group]
    permuted = np.array(
        [-(ranks @ permuted_signs(n, m, seed=samples.seed + at, times=1))[0] for at in range(PERMUTATIONS)]
    )
    observed = float(ranks[n:].mean() - ranks[:n].mean())
    order = np.argsort(-apart.shares)
    named = tuple(samples.names[place] for place in order[:5] if apart.shares[place] >= 0.1)
    return JointMeasure(effect=apart.auc, p_value=permutation_p_value(observed, permuted), columns=named)


METHOD = JointMethod(name="domain_classifier", warn=0.60, alarm=0.70, measure=measure)
