import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.watch.profile.directions import DIRECTIONS, directions_of, merged_directions


def scatter(vectors):
    away = vectors - vectors.mean(axis=0)
    return away.T @ away


def holds(found, vectors):
    """Check count, mean and total, and that the scatter matrix lies where the sketch says."""
    exact = scatter(vectors)
    assert found.count == len(vectors)
    np.testing.assert_allclose(found.centre, vectors.mean(axis=0), atol=1e-9)
    assert found.total == pytest.approx(np.trace(exact), rel=1e-9, abs=1e-9)
    away = np.linalg.eigvalsh(exact - found.matrix().T @ found.matrix())
    slack = 1e-5 * max(1.0, found.total)  # rows are kept in single precision
    assert -slack <= away[0]
    assert away[-1] <= found.lost + slack
    tail = np.sort(np.linalg.eigvalsh(exact))[::-1]
    best = min(tail[k:].sum() / (DIRECTIONS + 1 - k) for k in range(DIRECTIONS))
    assert found.lost <= best + slack
    assert len(found.matrix()) <= DIRECTIONS


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(1, 60), min_size=3, max_size=3), st.integers(1, 80))
def test_parts_in_any_order_are_a_sketch_of_the_whole(seed, rows, size):
    rng = np.random.default_rng(seed)
    parts = [rng.normal(rng.normal(0, 3, size), rng.uniform(0.1, 2.0, size), (n, size)) for n in rows]
    one, two, three = map(directions_of, parts)
    whole = np.concatenate(parts)
    holds(directions_of(whole), whole)
    holds(merged_directions(merged_directions(one, two), three), whole)
    holds(merged_directions(three, merged_directions(two, one)), whole)


def test_few_directions_are_kept_exactly_over_many_parts():
    rng = np.random.default_rng(0)
    print("seed 0")
    basis = rng.normal(size=(5, 300))
    parts = [rng.normal(size=(100, 5)) @ basis for _ in range(20)]
    found = directions_of(parts[0])
    for part in parts[1:]:
        found = merged_directions(found, directions_of(part))
    assert found.lost < 1e-9 * found.total
    assert found.explained(5) == pytest.approx(1.0, abs=1e-5)
    assert found.explained(2) < 0.9


def test_nothing_is_neutral_and_a_constant_varies_not():
    none, one = directions_of(np.empty((0, 3))), directions_of(np.ones((4, 3)))
    assert merged_directions(none, one) == merged_directions(one, none) == one
    assert (one.variance, one.explained(3)) == (0.0, 0.0)
