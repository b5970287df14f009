"""Every joint method keeps its rate of false alarms, of rare words, of columns of zeros and ones, and of rows that are in both samples."""

import pytest
from tests.watch.multivariate.null import flags, mixed, null_rate

from homeostat.watch.multivariate import JOINT_METHODS

TRIES = {"domain_classifier": 8, "mmd": 40}


@pytest.mark.parametrize("draw", [mixed, flags])
@pytest.mark.parametrize("name", JOINT_METHODS)
def test_false_alarms_are_as_many_as_promised(name, draw):
    found = null_rate(JOINT_METHODS[name], rows=100, tries=TRIES.get(name, 100), draw=draw)
    assert found.is_kept, found


@pytest.mark.parametrize("name", JOINT_METHODS)
def test_rows_that_are_in_both_samples_alarm_no_more_often(name):
    found = null_rate(JOINT_METHODS[name], rows=100, tries=TRIES.get(name, 100), share=0.5)
    assert found.is_kept, found


@pytest.mark.long
@pytest.mark.parametrize("name", JOINT_METHODS)
def test_rows_that_are_in_both_samples_of_a_million_alarm_no_more_often(name):
    found = null_rate(JOINT_METHODS[name], rows=1_000_000, tries=20, share=0.9)
    print(found)
    assert found.is_kept, found
