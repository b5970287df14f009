import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.errors import InvalidInput
from homeostat.watch.profile import WindowProfile, merged, profile_of
from homeostat.watch.profile.vectors import PROJECTIONS, SAMPLE, merged_vectors, signs, vector_size, vector_sketch

SIZE = 6
LIKE = vector_sketch(pl.Series(np.random.default_rng(0).normal(size=(200, SIZE))), SIZE)


def column(seed, rows):
    """Return vectors, of which some are null, too long, empty, or hold a null, a NaN or an infinity."""
    rng = np.random.default_rng(seed)
    odd = [None, [1.0] * (SIZE + 1), [], [None] * SIZE, [float("nan")] * SIZE, [float("inf")] * SIZE, [1e300] * SIZE]
    values = [
        odd[rng.integers(len(odd))] if rng.random() < 0.3 else rng.normal(size=SIZE).tolist() for _ in range(rows)
    ]
    return pl.Series("e", values, dtype=pl.List(pl.Float64))


def plain(found) -> dict:
    """Return what must not depend on order at all: all but the KLL sketches and what is summed as floats."""
    told = json.loads(WindowProfile(vectors={"e": found}).to_bytes())["vectors"]["e"]
    told.pop("directions")
    for one in told["projections"]:
        one.pop("kll")
        one.pop("moments")
    return told


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 30), min_size=3, max_size=3))
def test_merging_is_associative_and_commutative(seed, rows):
    one, two, three = (vector_sketch(column(seed + at, n), SIZE, like=LIKE) for at, n in enumerate(rows))
    left, right = merged_vectors(merged_vectors(one, two), three), merged_vectors(one, merged_vectors(two, three))
    assert plain(left) == plain(right) == plain(merged_vectors(three, merged_vectors(two, one)))
    assert left.directions.total == pytest.approx(right.directions.total)
    found = WindowProfile(vectors={"e": left})
    assert WindowProfile.from_bytes(found.to_bytes()) == found


def test_what_is_no_vector_is_counted_by_what_is_wrong():
    values = [[1.0, 2.0], None, [1.0], [1.0, 2.0, 3.0], [], [1.0, None], [float("nan"), 1.0], [float("inf"), 1.0]]
    found = vector_sketch(pl.Series(values, dtype=pl.List(pl.Float64)), 2)
    assert (found.rows, found.nulls, found.misshapen, found.spoilt, found.count) == (8, 1, 3, 3, 1)
    assert found.sampled().tolist() == [[1.0, 2.0]]
    words = vector_sketch(pl.Series(["a", None]), 2)
    assert (words.nulls, words.misshapen, words.count) == (1, 1, 0)
    assert vector_sketch(pl.Series([[1.0, 2.0]], dtype=pl.Array(pl.Float32, 2)), 2).count == 1


def test_the_sample_of_a_whole_is_drawn_evenly_from_its_parts():
    print("seeds 0 to 9")
    from_last, last = 0, 1_000
    for seed in range(10):
        rng = np.random.default_rng(seed)
        found = None
        for part, rows in enumerate((6_000, 3_000, last)):  # the first number says which part
            vectors = np.column_stack([np.full(rows, float(part)), rng.normal(size=rows)])
            one = vector_sketch(pl.Series(vectors), 2, like=found)
            found = one if found is None else merged_vectors(found, one)
        sample = found.sampled()
        assert len(sample) == SAMPLE
        assert len(np.unique(sample[:, 1])) == SAMPLE  # without replacement
        from_last += int(np.sum(sample[:, 0] == 2.0))
    expected = 10 * SAMPLE / 10
    assert abs(from_last - expected) < 4 * np.sqrt(expected * 0.9 * 0.8)


def test_equal_parts_and_equal_rows_do_not_spoil_the_sample():
    part = pl.Series(np.tile([[1.0, 2.0], [3.0, 4.0]], (1_500, 1)))
    one = vector_sketch(part, 2)
    both = merged_vectors(one, one)
    share = np.mean(both.sampled()[:, 0] == 1.0)
    assert len(both.sampled()) == SAMPLE
    assert abs(share - 0.5) < 0.06


def test_projections_keep_mean_and_spread():
    rng = np.random.default_rng(0)
    print("seed 0")
    vectors = rng.normal(2.0, 1.0, (4_000, 32))
    found = vector_sketch(pl.Series(vectors), 32)
    assert len(found.projections) == PROJECTIONS
    for at, one in enumerate(found.projections):
        projected = vectors @ signs(32)[:, at]
        assert one.moments.mean == pytest.approx(projected.mean(), abs=1e-3)
        assert one.moments.sd == pytest.approx(1.0, abs=0.05)


def test_only_vectors_of_one_length_are_embeddings():
    lists = pl.List(pl.Float64)
    assert vector_size(pl.Series([[1.0, 2.0], [3.0, 4.0], [5.0], None], dtype=lists)) == 2
    assert vector_size(pl.Series([[1.0], [1.0, 2.0]], dtype=lists)) is None
    assert vector_size(pl.Series([[]], dtype=lists)) is None
    assert vector_size(pl.Series([[1, 2]], dtype=pl.List(pl.Int64))) is None
    assert vector_size(pl.Series([[1, 2]], dtype=pl.Array(pl.Int64, 2))) == 2
    assert vector_size(pl.Series(["a"])) is None
    assert vector_size(pl.Series([], dtype=lists)) is None


def test_windows_keep_embeddings_and_go_together():
    frame = pl.DataFrame({"e": np.random.default_rng(0).normal(size=(100, 4))})
    whole = profile_of(frame, {}, vectors={"e": 4})
    parts = [profile_of(frame[a : a + 50], {}, like=whole) for a in (0, 50)]
    both = merged(*parts)
    assert both.vectors["e"].count == 100
    assert both.has_bins
    with pytest.raises(InvalidInput, match="only one of two profiles has e"):
        merged(both, profile_of(frame.rename({"e": "f"}), {}))
    with pytest.raises(InvalidInput, match="vectors of 4 and of 3 numbers"):
        merged(whole, profile_of(frame, {}, vectors={"e": 3}))


def test_the_size_does_not_grow_with_the_rows():
    rng = np.random.default_rng(0)
    parts = [vector_sketch(pl.Series(rng.normal(size=(3_000, 8))), 8, like=None)]
    for _ in range(4):
        one = vector_sketch(pl.Series(rng.normal(size=(3_000, 8))), 8, like=parts[0])
        parts.append(merged_vectors(parts[-1], one))
    sizes = [len(WindowProfile(vectors={"e": one}).to_bytes()) for one in parts]
    assert sizes[-1] < 1.3 * sizes[0]
