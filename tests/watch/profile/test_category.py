from collections import Counter

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.watch.profile.category import CAPACITY, LONGEST, TOP, category_sketch, merged_categories, new_categories


def sketch(values):
    return category_sketch(pl.Series(values, dtype=pl.String), Kind.CATEGORY)


def streamed(values, parts):
    found = None
    for part in np.array_split(values, parts):
        one = sketch(part)
        found = one if found is None else merged_categories(found, one)
    return found


def test_few_categories_are_counted_exactly():
    values = np.random.default_rng(0).choice([f"c{i}" for i in range(500)], 20_000)
    found = streamed(values, 7)
    assert (found.counts, found.error, found.distinct) == (dict(Counter(values.tolist())), 0, 500)
    assert found.to_categories().other == 0


def test_frequent_ones_among_very_many_are_kept_within_the_bound():
    rng = np.random.default_rng(1)
    values = np.where(rng.random(100_000) < 0.3, "often", [f"id{i}" for i in range(100_000)])
    found = streamed(values, 11)
    true = int((values == "often").sum())
    assert found.error <= 100_000 / CAPACITY
    assert true - found.error <= found.counts["often"] <= true
    assert len(found.counts) <= CAPACITY
    assert found.distinct == pytest.approx(100_001 - true, rel=0.06)


def test_what_is_measured_names_a_thousand_and_adds_up():
    values = np.random.default_rng(2).choice([f"c{i}" for i in range(3_000)], 50_000)
    found = streamed(values, 3).to_categories()
    assert len(found.counts) == TOP
    assert found.total == 50_000


def test_the_size_does_not_grow_with_values_or_their_length():
    from msgspec.json import encode

    values = np.array([f"{i:07}" + "x" * 500 for i in range(30_000)])
    small, large = (len(encode(streamed(values[:n], 3))) for n in (10_000, 30_000))
    assert large < 1.2 * small
    assert max(map(len, streamed(values, 3).counts), default=0) <= LONGEST


def test_long_names_that_begin_alike_stay_apart():
    found = sketch(["x" * 300 + "a", "x" * 300 + "b"])
    assert len(found.counts) == 2


def test_any_type_is_taken_as_text():
    found = category_sketch(pl.Series([[1, 2], [1, 2], None]), Kind.CATEGORY)
    assert (found.counts, found.nulls) == ({"[1, 2]": 2}, 1)


def test_new_categories_are_about_those_that_only_one_side_has():
    words = [f"w{i}" for i in range(9_000)]
    old, new = (category_sketch(pl.Series(part * 2), Kind.CATEGORY) for part in (words[:6_000], words[3_000:]))
    assert abs(new_categories(old, new) - 3_000) < 450
    assert new_categories(old, old) == 0  # in whatever order the values were met
    assert old.unnamed > 0.6
    assert category_sketch(pl.Series(words[:TOP]), Kind.CATEGORY).unnamed == 0.0
