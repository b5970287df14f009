import math

import numpy as np
import pytest

from homeostat.watch.control.phase_one import freeze


def test_values_out_of_control_are_dropped_and_the_rest_fitted_again():
    values = np.random.default_rng(0).normal(10.0, 1.0, 60).tolist()
    frozen = freeze([*values[:20], 30.0, *values[20:], -5.0])
    assert frozen is not None
    assert {20, 61} <= set(frozen.dropped)
    assert frozen.center == pytest.approx(10.0, abs=0.5)
    assert frozen.scale == pytest.approx(1.0, abs=0.4)


def test_few_values_give_no_limits():
    assert freeze([1.0] * 7) is None
    assert freeze([]) is None


def test_a_constant_process_has_limits_without_width():
    frozen = freeze([2.0] * 12)
    assert frozen is not None
    assert (frozen.scale, frozen.score(2.0), frozen.score(3.0), frozen.score(1.0)) == (0.0, 0.0, math.inf, -math.inf)
