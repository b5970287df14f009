import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import ks_2samp, wasserstein_distance

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.methods import METHODS
from homeostat.watch.profile.numeric import merged_numbers, number_sketch, read_ordered
from homeostat.watch.sample import numbers


def sketch(values, like=None):
    return number_sketch(pl.Series(values, strict=False), Kind.FLOAT, like=like)


def streamed(values, parts, like=None):
    found = None
    for part in np.array_split(values, parts):
        like = found if found is not None else like
        one = sketch(part, like=like)
        found = one if found is None else merged_numbers(found, one)
    return found


def test_odd_values_are_counted_apart():
    found = sketch([1.0, None, math.nan, math.inf, -math.inf, -math.inf, 0.0, -0.0])
    assert (found.rows, found.nulls, found.zeros, found.above, found.below) == (8, 2, 2, 1, 2)
    assert (found.least, found.greatest, found.moments.count) == (0.0, 1.0, 3)
    assert found.to_numbers().counts.sum() == 6


def test_texts_are_read_as_numbers_and_the_rest_counted():
    found = sketch(["1.5", " NA", "", "many", None, "inf"])
    assert (found.nulls, found.spoilt, found.infinite, found.moments.count) == (3, 1, 1, 1)


@pytest.mark.parametrize("dtype", [pl.Int8, pl.UInt64, pl.Float32, pl.Boolean])
def test_any_numeric_type_will_do(dtype):
    assert number_sketch(pl.Series([0, 1, 1]).cast(dtype), Kind.INTEGER).moments.mean == pytest.approx(2 / 3)


def test_quantiles_are_within_the_sketchs_error():
    values = np.random.default_rng(0).lognormal(sigma=1.0, size=300_000)
    found = streamed(values, 37)
    ranks = np.linspace(0.01, 0.99, 99)
    true = np.searchsorted(np.sort(values), found.quantiles(ranks)) / len(values)
    assert np.abs(true - ranks).max() < 0.0133


def test_the_size_hardly_grows():
    """A sketch keeps at least eight values a level, and has a level more where there are twice as many: 64 bytes."""
    rng = np.random.default_rng(0)
    sizes = [len(streamed(rng.normal(size=n), n // 10_000).kll) for n in (100_000, 1_000_000)]
    assert sizes[1] < sizes[0] + 2_000 < 7_000


def test_distances_of_profiles_are_near_those_of_the_rows():
    rng = np.random.default_rng(1)
    old, new = rng.normal(size=200_000), rng.normal(0.3, 1.1, size=150_000)
    ours = streamed(old, 9)
    theirs = streamed(new, 8, like=ours)
    a, b = ours.to_numbers(), theirs.to_numbers()
    measured = {name: METHODS[name].measure(a, b).effect for name in ("wasserstein", "ks", "psi")}
    assert measured["wasserstein"] == pytest.approx(wasserstein_distance(old, new) / old.std(), abs=0.015)
    assert measured["ks"] == pytest.approx(ks_2samp(old, new, method="asymp").statistic, abs=0.01)
    exact = numbers(old)
    assert measured["psi"] == pytest.approx(METHODS["psi"].measure(exact, numbers(new, like=exact)).effect, abs=0.02)


@pytest.mark.parametrize("draw", [lambda r, n: r.normal(size=n), lambda r, n: r.poisson(3.0, n).astype(float)])
def test_two_profiles_of_one_distribution_do_not_alarm(draw):
    """Beside its own chance, a sketch adds noise: the p-values must not become smaller by it."""
    small = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ours = streamed(draw(rng, 50_000), 3)
        theirs = streamed(draw(rng, 50_000), 3, like=ours)
        found = METHODS["wasserstein"].measure(ours.to_numbers(), theirs.to_numbers())
        assert found.effect < 0.05
        small += found.p_value < 0.05
    assert small <= 6  # binomial(40, 0.05): more than 6 has a chance of 0.3 %


def test_a_constant_column_keeps_its_value():
    found = streamed(np.full(5_000, 2.5), 3).to_numbers()
    assert set(found.values) == {2.5}
    assert (found.sd, found.counts.tolist()) == (0.0, [5_000])


def test_nothing_but_nulls_takes_the_others_bins():
    empty, full = sketch([None, None]), sketch([1.0, 2.0, 3.0])
    for both in (merged_numbers(empty, full), merged_numbers(full, empty)):
        assert (both.rows, both.nulls, both.edges, both.moments.count) == (5, 2, full.edges, 3)


def test_other_bins_are_refused():
    with pytest.raises(InvalidInput, match="bins"):
        merged_numbers(sketch([1.0, 2.0]), sketch([5.0, 6.0]))


@pytest.mark.parametrize("dtype", [pl.Int8, pl.Int64, pl.UInt16, pl.UInt64], ids=str)
def test_whole_numbers_are_ordered_whether_counted_or_sorted(dtype):
    rng = np.random.default_rng(0)
    print("seed 0")
    low = 0 if dtype in (pl.UInt16, pl.UInt64) else -100
    few = pl.Series([*rng.integers(low, 100, 500).tolist(), None], dtype=dtype)
    ordered, nulls, spoilt = read_ordered(few)
    assert ordered.tolist() == sorted(float(one) for one in few.drop_nulls())
    assert (nulls, spoilt) == (1, 0)
    far = pl.Series([100, 0, None, 5], dtype=dtype)
    assert read_ordered(far)[0].tolist() == [0.0, 5.0, 100.0]  # a range wider than the rows are many
    assert read_ordered(pl.Series([None], dtype=dtype))[0].tolist() == []
    assert read_ordered(pl.Series([], dtype=dtype))[0].tolist() == []
