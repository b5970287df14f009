import numpy as np
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.watch.profile.reliability import BINS, Reliability, merged_reliability, reliability_of


def test_bins_hold_their_upper_edge():
    found = reliability_of(np.array([0.0, 0.05, 0.0500001, 0.95, 1.0]))
    assert [at for at, count in enumerate(found.counts) for _ in range(count)] == [0, 0, 1, 18, 19]
    assert found.error is None
    assert found.rate is None


def test_a_calibrated_model_has_a_small_error_and_a_bold_one_a_large():
    rng = np.random.default_rng(0)
    print("seed 0")
    truth = rng.uniform(size=50_000)
    came = (rng.uniform(size=truth.size) < truth).astype(float)
    good, bold = reliability_of(truth, came), reliability_of(np.clip(truth * 2 - 0.5, 0, 1), came)
    assert good.error < 0.01
    assert bold.error == pytest.approx(0.125, abs=0.01)  # the mean distance of p and clip(2p - 1/2)
    assert good.rate == pytest.approx(came.mean())


def test_rows_without_label_count_for_the_histogram_alone():
    found = reliability_of(np.array([0.3, 0.3, 0.3]), np.array([1.0, np.nan, 0.0]))
    assert (found.rows, sum(found.labelled), sum(found.came)) == (3, 2, 1)
    assert found.error == pytest.approx(0.2)


def test_one_side_alone_is_refused():
    assert merged_reliability(None, None) is None
    with pytest.raises(InvalidInput, match="only one"):
        merged_reliability(Reliability(), None)


def test_other_bins_do_not_construct():
    with pytest.raises(ValueError, match=f"{BINS} bins"):
        Reliability(counts=[1])
