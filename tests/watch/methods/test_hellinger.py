import numpy as np
import pytest
from tests.watch.methods.distances import (
    check_an_empty_side_is_not_tested,
    check_false_alarms_without_drift,
    check_it_agrees_with,
    check_it_sees_a_category_that_takes_a_third_of_the_rows,
)

from homeostat.watch.methods.hellinger import METHOD, distance


def test_it_agrees_with_the_norm_of_scipy_or_numpy():
    check_it_agrees_with(lambda p, q: np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / np.sqrt(2), distance)


def test_an_empty_side_is_not_tested():
    check_an_empty_side_is_not_tested(METHOD)


def test_it_sees_a_category_that_takes_a_third_of_the_rows():
    check_it_sees_a_category_that_takes_a_third_of_the_rows(METHOD)


@pytest.mark.parametrize("n", [100, 1_000, 10_000])
def test_false_alarms_without_drift(n):
    check_false_alarms_without_drift(METHOD, n)
