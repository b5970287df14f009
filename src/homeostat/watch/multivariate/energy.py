"""Energy distance: how much farther rows of two samples are from one another than rows of one sample. For embeddings too."""

import numpy as np

from homeostat.watch.domain import at_most
from homeostat.watch.joint import JointMeasure, JointMethod, Samples, permutation_p_value, permuted_signs
from homeostat.watch.sample import Floats

MOST = 1_000


def coefficient(reference: Floats, current: Floats) -> float:
    """Return the energy coefficient of inhomogeneity of two samples (n, d) and (m, d), in [0, 1], 0 for equal ones.

    (2 E|X - Y| - E|X - X'| - E|Y - Y'|) / 2 E|X - Y|: G. Székely and M. Rizzo 2013, "Energy statistics: A class of statistics based on
    distances", Journal of Statistical Planning and Inference 143. Of order 1 / n for samples of one distribution.
    """
    distances = _distances(np.concatenate([reference, current]))
    return _coefficient(distances, len(reference))[0]


def measure(samples: Samples) -> JointMeasure:
    """Return the coefficient of at most 1,000 standardised rows of each, and its permutation p-value."""
    ours, theirs = samples.standardised
    ours, theirs = ours[at_most(ours, MOST, seed=samples.seed)], theirs[at_most(theirs, MOST, seed=samples.seed + 1)]
    distances = _distances(np.concatenate([ours, theirs]))
    effect, observed = _coefficient(distances, len(ours))
    signs = permuted_signs(len(ours), len(theirs), seed=samples.seed)
    permuted = -np.einsum("ij,ij->j", signs, distances @ signs)
    return JointMeasure(effect=effect, p_value=permutation_p_value(observed, permuted))


def _coefficient(distances: Floats, n: int) -> tuple[float, float]:
    between = 2.0 * float(distances[:n, n:].mean())
    energy = max(0.0, between - float(distances[:n, :n].mean()) - float(distances[n:, n:].mean()))
    return (energy / between if between > 0 else 0.0), energy


def _distances(rows: Floats) -> Floats:
    squares = (rows**2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squares[:, None] + squares[None, :] - 2.0 * rows @ rows.T, 0.0)))


METHOD = JointMethod(name="energy", warn=0.02, alarm=0.05, measure=measure)
