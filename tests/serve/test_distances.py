"""Distances of answers, by hand."""

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.serve.distances import distances_of


def pairs(own, champions, *, requests=None, scores=None):
    n = len(own)
    return pl.DataFrame(
        {
            "request_id": [str(k) for k in range(n)] if requests is None else requests,
            "prediction": own,
            "prediction_champion": champions,
            "scores": [None] * n if scores is None else [[1 - p, p] for p in scores[0]],
            "scores_champion": [None] * n if scores is None else [[1 - p, p] for p in scores[1]],
        }
    )


def test_regressions_are_apart_in_the_champion_s_standard_deviations_with_their_sign():
    found = distances_of(pairs([1.0, 2.0, 6.0], [2.0, 3.0, 4.0]), Task.REGRESSION)
    unit = np.std([2, 3, 4])
    assert (found.requests, found.disagreement, found.shift) == (3, pytest.approx(4 / 3 / unit), pytest.approx(0.0))
    assert found.shift_variance == pytest.approx(3.0 / unit**2)


def test_probabilities_of_two_classes_shift_towards_the_second():
    found = distances_of(pairs(list("aab"), list("aab"), scores=([0.3, 0.4, 0.9], [0.2, 0.3, 0.8])), Task.BINARY)
    assert found.shift == pytest.approx(0.1 / np.std([0.2, 0.3, 0.8]))
    assert found.shift_variance == pytest.approx(0.0)


def test_labels_alone_have_no_direction():
    found = distances_of(pairs(list("abab"), list("aabb")), Task.BINARY)
    assert (found.disagreement, found.shift) == (0.5, None)


def test_rows_of_one_request_are_one_witness():
    alone = distances_of(pairs([1.0, 2.0, 1.0, 2.0], [2.0, 4.0, 2.0, 4.0]), Task.REGRESSION)
    joined = distances_of(pairs([1.0, 2.0, 1.0, 2.0], [2.0, 4.0, 2.0, 4.0], requests=["a", "b"] * 2), Task.REGRESSION)
    assert (alone.requests, joined.requests) == (4, 2)
    assert joined.disagreement_variance / 2 > alone.disagreement_variance / 4


def test_a_champion_that_always_says_the_same_shifts_by_no_unit():
    found = distances_of(pairs([1.0, 2.0], [1.0, 1.0]), Task.REGRESSION)
    assert (found.disagreement, found.shift) == (float("inf"), None)
    assert distances_of(pairs([1.0, 1.0], [1.0, 1.0]), Task.REGRESSION).disagreement == 0.0
    assert distances_of(pairs([], []), Task.REGRESSION).disagreement is None
