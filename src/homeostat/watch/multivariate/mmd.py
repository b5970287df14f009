"""Maximum mean discrepancy with random Fourier features: the distance of two samples' mean features. For embeddings too."""

import numpy as np

from homeostat.watch.domain import at_most
from homeostat.watch.joint import JointMeasure, JointMethod, Samples, permutation_p_value, permuted_signs
from homeostat.watch.sample import Floats

FEATURES = 256
MOST = 5_000
_PAIRS = 500


def measure(samples: Samples) -> JointMeasure:
    """Return the discrepancy (not squared) of standardised rows under a Gaussian kernel, in [0, 1.42], less what chance makes of it.

    A. Gretton et al. 2012, "A Kernel Two-Sample Test", JMLR 13; features of A. Rahimi and B. Recht 2007, "Random Features for Large-Scale
    Kernel Machines". The width of the kernel is the median distance of pooled rows; more features come nearer the exact kernel, at
    proportional cost. The p-value is by permutation.
    """
    ours, theirs = samples.standardised
    ours, theirs = ours[at_most(ours, MOST, seed=samples.seed)], theirs[at_most(theirs, MOST, seed=samples.seed + 1)]
    pooled = np.concatenate([ours, theirs])
    features = fourier_features(pooled, width=median_distance(pooled, seed=samples.seed), seed=samples.seed)
    whole = np.repeat([1.0 / len(ours), -1.0 / len(theirs)], [len(ours), len(theirs)])
    observed = float(np.sum((whole @ features) ** 2))
    signs = permuted_signs(len(ours), len(theirs), seed=samples.seed)
    permuted = ((features.T @ signs) ** 2).sum(axis=0)
    effect = float(np.sqrt(max(0.0, observed - float(permuted.mean()))))
    return JointMeasure(effect=effect, p_value=permutation_p_value(observed, permuted))


def fourier_features(rows: Floats, *, width: float, seed: int = 0, features: int = FEATURES) -> Floats:
    """Return features of shape (n_rows, 2 features) whose inner products approach exp(-|x - y|² / 2 width²)."""
    directions = np.random.default_rng(seed).normal(0.0, 1.0 / width, (rows.shape[1], features))
    turned = rows @ directions
    return np.asarray(np.concatenate([np.cos(turned), np.sin(turned)], axis=1) / np.sqrt(features))


def median_distance(rows: Floats, *, seed: int = 0) -> float:
    """Return the median distance of rows, from at most 500 of them; 1 where they are all alike."""
    some = rows[at_most(rows, _PAIRS, seed=seed)]
    squares = ((some[:, None, :] - some[None, :, :]) ** 2).sum(axis=2)
    return float(np.sqrt(np.median(squares[np.triu_indices(len(some), 1)]))) if len(some) > 1 and squares.any() else 1.0


METHOD = JointMethod(name="mmd", warn=0.1, alarm=0.2, measure=measure)
