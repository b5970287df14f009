import polars as pl
import pytest

from homeostat.core.columns import Kind
from homeostat.watch.profile.text import merged_texts, text_sketch


def sketch(values):
    return text_sketch(pl.Series(values, dtype=pl.String), Kind.TEXT)


def test_lengths_and_words():
    found = sketch(["Big red bus", "big  bus", None, ""])
    assert (found.rows, found.nulls, found.lengths.greatest) == (4, 1, 11.0)
    assert found.tokens.counts == {"big": 2, "red": 1, "bus": 2}


def test_words_that_the_reference_does_not_know():
    assert sketch(["big cat", "big dog"]).unseen_share(sketch(["big cat"])) == pytest.approx(0.25)
    assert sketch([]).unseen_share(sketch(["big cat"])) == 0.0


def test_grams_count_runs_within_a_text_only():
    assert sum(sketch(["abcd", "ab", "xyz"]).grams) == 3
    assert sketch(["abc"]).grams != sketch(["cba"]).grams


def test_parts_add_up():
    both, whole = merged_texts(sketch(["one two"]), sketch(["two three"])), sketch(["one two", "two three"])
    assert (both.tokens.counts, both.grams) == (whole.tokens.counts, whole.grams)
