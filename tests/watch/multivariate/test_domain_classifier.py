import numpy as np
import polars as pl
import pytest
from tests.watch.multivariate.null import turned

from homeostat.core.columns import Kind
from homeostat.watch.domain import tell_apart
from homeostat.watch.encoding import encode
from homeostat.watch.joint import Samples
from homeostat.watch.multivariate.domain_classifier import METHOD


def test_a_correlation_that_turned_is_seen_and_its_columns_named():
    found = METHOD.measure(turned(2_000, 1, by=-0.9))
    assert found.effect > METHOD.alarm
    assert found.p_value < 1 / 500
    assert set(found.columns) == {"u", "v"}


def test_rows_that_are_in_both_samples_are_no_drift_and_no_negative_one():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4_500, 3))
    found = METHOD.measure(Samples.of("abc", x[:3_000], np.concatenate([x[:1_500], x[3_000:]])))
    assert 0.45 < found.effect < 0.55
    assert found.p_value > 0.01


def test_a_column_of_two_values_can_be_told_apart_too():
    rng = np.random.default_rng(3)
    flags = [(rng.random((1_000, 1)) < share).astype(float) for share in (0.2, 0.8)]
    assert METHOD.measure(Samples.of(["flag"], *flags)).effect == pytest.approx(0.8, abs=0.03)


def test_a_changed_rounding_grid_is_no_drift_and_a_note():
    rng = np.random.default_rng(4)
    before, after = (np.round(rng.normal(20, 3, 2_000), digits) for digits in (3, 0))
    frames = [pl.DataFrame({"t": side, "u": rng.normal(size=2_000)}) for side in (before, after)]
    kinds = {"t": Kind.FLOAT, "u": Kind.FLOAT}
    raw = Samples.of("tu", *(frame.to_numpy() for frame in frames))
    encoded = encode(*frames, kinds)
    assert METHOD.measure(raw).effect > METHOD.alarm  # the trap
    assert METHOD.measure(Samples.of(encoded.names, encoded.reference, encoded.current)).effect < METHOD.warn
    assert "rounded differently" in encoded.notes[0]
    assert len(encoded.notes) == 1


def test_categories_and_missing_values_are_told_apart():
    rng = np.random.default_rng(5)

    def frame(new: float, missing: float) -> pl.DataFrame:
        words = np.where(rng.random(1_500) < new, "new", rng.choice(["a", "b"], 1_500))
        x = np.where(rng.random(1_500) < missing, np.nan, rng.normal(size=1_500))
        return pl.DataFrame({"c": words, "x": x, "when": ["2026-01-01"] * 1_500})

    kinds = {"c": Kind.CATEGORY, "x": Kind.FLOAT, "when": Kind.DATETIME, "absent": Kind.FLOAT}
    encoded = encode(frame(0.0, 0.0), frame(0.5, 0.5), kinds)
    assert list(encoded.names) == ["c", "x"]
    found = METHOD.measure(
        Samples.of(encoded.names, encoded.reference, encoded.current, is_category=encoded.is_category)
    )
    assert found.effect > 0.8
    assert set(found.columns) == {"c", "x"}


def test_at_most_twenty_thousand_rows_are_looked_at():
    rng = np.random.default_rng(6)
    found = Samples.of("a", rng.normal(size=(30_000, 1)), rng.normal(size=(25_000, 1)))
    assert (len(found.reference), len(found.current)) == (20_000, 20_000)


def test_too_few_rows_are_refused():
    with pytest.raises(ValueError, match="50 rows"):
        tell_apart(np.zeros((49, 1)), np.zeros((100, 1)), is_category=np.array([False]))
