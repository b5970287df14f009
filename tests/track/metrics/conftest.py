"""Made-up predictions of each task, to check metrics against scikit-learn."""

import numpy as np
import pytest

from homeostat.track.predictions import Predictions


def _classified(classes, *, rows=400, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(len(classes)), size=rows)
    if ties:
        scores[:, 1] = np.round(scores[:, 1], 1)
        scores[:, 0] = 1.0 - scores[:, 1]
    labels = np.asarray([classes[i] for i in scores.argmax(axis=1)])
    y = np.asarray([classes[i] for i in rng.integers(len(classes), size=rows)])
    return y, Predictions(labels=labels, scores=scores, classes=tuple(classes))


def _regressed(*, rows=300, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=rows)
    return y, Predictions(labels=y + rng.normal(scale=0.5, size=rows))


@pytest.fixture
def classified():
    return _classified


@pytest.fixture
def regressed():
    return _regressed


@pytest.fixture
def sure_and_wrong():
    """One row, probability 0 for what is true."""
    return np.asarray(["b"]), Predictions(labels=np.asarray(["a"]), scores=np.asarray([[1.0, 0.0]]), classes=("a", "b"))
