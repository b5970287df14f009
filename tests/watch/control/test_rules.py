import pytest

from homeostat.watch.control.rules import patterns


@pytest.mark.parametrize(
    ("scores", "rules"),
    [
        ([0.0] * 8, []),
        ([3.1], [1]),
        ([-3.1], [1]),
        ([2.1, 0.0, 2.1], [2]),
        ([2.1, 2.1, 0.0], []),  # the newest value has to be one of them
        ([2.1, -2.1, 2.1], [2]),
        ([1.1, 1.1, 0.0, 1.1, 1.1], [3]),
        ([0.1] * 8, [4]),
        ([0.1] * 7, []),
        ([0.1] * 7 + [-0.1], []),
        ([], []),
    ],
)
def test_each_rule_is_broken_by_its_pattern_alone(scores, rules):
    assert [found.rule for found in patterns(scores)] == rules


def test_rules_one_and_four_alarm_and_the_others_inform():
    assert [found.is_alarm for found in patterns([4.0])] == [True]
    assert [found.is_alarm for found in patterns([2.5, 0.0, 2.5])] == [False]
    assert patterns([-0.5] * 8)[0].words == "eight values in a row on one side of the centre, below"
