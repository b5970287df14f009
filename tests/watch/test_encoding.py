import numpy as np
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.encoding import MOST_CATEGORIES, encode


def test_words_of_which_most_are_rare_are_as_rare_on_both_sides():
    """Named after those of the reference, the other side's would be rarer, and any classifier could tell."""
    rng = np.random.default_rng(1)
    sides = [pl.DataFrame({"postcode": rng.integers(0, 20_000, 1_000).astype(str)}) for _ in range(2)]
    encoded = encode(*sides, {"postcode": Kind.CATEGORY})
    named = [int((side < MOST_CATEGORIES).sum()) for side in (encoded.reference, encoded.current)]
    assert abs(named[0] - named[1]) < 4 * np.sqrt(sum(named))
    assert sum(named) >= MOST_CATEGORIES


def test_a_new_word_that_is_frequent_has_a_code_of_its_own():
    before = pl.DataFrame({"word": [f"w{i % 300}" for i in range(600)]})
    after = pl.DataFrame({"word": ["new"] * 100 + ["w1"] * 100})
    encoded = encode(before, after, {"word": Kind.CATEGORY})
    new = set(encoded.current[:100, 0])
    assert len(new) == 1
    assert not new & set(encoded.reference[:, 0])
    assert new != {float(MOST_CATEGORIES)}
