import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from homeostat.watch.adjust import benjamini_hochberg


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_it_is_scipys(p_values):
    assert benjamini_hochberg(p_values) == pytest.approx(false_discovery_control(p_values).tolist())


@given(st.lists(st.none() | st.floats(0, 1), max_size=40))
def test_what_was_not_tested_does_not_count(p_values):
    adjusted = benjamini_hochberg(p_values)
    assert [a is None for a in adjusted] == [p is None for p in p_values]
    tested = [p for p in p_values if p is not None]
    assert [a for a in adjusted if a is not None] == benjamini_hochberg(tested)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_what_is_no_p_value_is_refused(bad):
    with pytest.raises(ValueError, match="lie in"):
        benjamini_hochberg([0.5, bad])


def test_under_no_drift_a_whole_family_alarms_in_alpha_of_the_cases():
    rng = np.random.default_rng(0)
    alarms = sum(min(benjamini_hochberg(rng.uniform(size=50).tolist())) <= 0.05 for _ in range(1_000))
    assert 30 <= alarms <= 75
