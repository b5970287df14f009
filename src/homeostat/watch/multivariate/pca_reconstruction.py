"""How much worse the current rows are rebuilt from the reference's principal components: correlations that turned."""

import numpy as np

from homeostat.watch.joint import JointMeasure, JointMethod, Samples, permutation_p_value, permuted_differences

EXPLAINED = 0.65


def measure(samples: Samples) -> JointMeasure:
    """Return the difference of mean reconstruction errors, in standard deviations of the reference's, either way.

    Components that explain 65 % of the variance of one half of the reference rebuild the rows of its other half and of the current sample; the
    error of a row is the distance of the two. More explained variance sees smaller changes of what is left, and fewer changes of what is not.
    The p-value permutes errors between the two samples. Few columns (one component is enough for all): nothing to rebuild, effect 0.
    """
    ours, theirs = samples.standardised
    half = np.random.default_rng(samples.seed).permutation(len(ours)) % 2 == 0
    centre = ours[half].mean(axis=0)
    _, sizes, components = np.linalg.svd(ours[half] - centre, full_matrices=False)
    explained = np.cumsum(sizes**2) / max(float(np.sum(sizes**2)), 1e-12)
    kept = components[: int(np.searchsorted(explained, EXPLAINED)) + 1]
    if len(kept) == ours.shape[1]:
        return JointMeasure(effect=0.0, p_value=1.0)
    before, after = (
        np.linalg.norm((side - centre) - (side - centre) @ kept.T @ kept, axis=1) for side in (ours[~half], theirs)
    )
    sd = float(before.std()) or 1.0
    observed = abs(float(after.mean() - before.mean()))
    pooled = np.concatenate([before, after])
    permuted = np.abs(permuted_differences(pooled, len(before), seed=samples.seed))
    return JointMeasure(effect=observed / sd, p_value=permutation_p_value(observed, permuted))


METHOD = JointMethod(name="pca_reconstruction", warn=0.2, alarm=0.5, measure=measure)
