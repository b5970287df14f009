from msgspec.structs import replace
from tests.retrain.results import result_of

from homeostat.retrain.backtest_result import Detection
from homeostat.retrain.comparison import Terms, recommend
from homeostat.retrain.report_advice import advice


def compared(**terms):
    found = result_of(
        always={"losses": [0.5, 0.6] * 10, "fits": 41}, every_5={"losses": [0.505, 0.605] * 10, "fits": 9}
    )
    return replace(found, recommendation=recommend(found, Terms(**terms)))


def test_it_says_what_to_take_why_and_how_sure():
    said = advice(compared(), metric="log loss")
    assert said[0] == (
        "Take every_5: its log loss is within 2.0% of the best, which is always's, with 9 fits, candidates counted, instead of 41."
    )
    assert said[1].startswith("That is sure: in 100% of 2,000 histories resampled from the 20 steps")
    assert said[1].endswith("Per step it was 0.005 worse than the best (95 %: 0.005 to 0.005).")


def test_the_best_is_taken_where_nothing_cheaper_comes_near():
    said = advice(compared(tolerance=0.001), metric="log loss")
    assert said[0].startswith("Take always: it has the best log loss, and none with fewer fits comes within 0.1%")
    assert "worse" not in said[1]


def test_an_unsure_recommendation_is_called_so():
    found = compared()
    unsure = replace(found, recommendation=replace(found.recommendation, confidence=0.55))
    assert "Not sure: in 55%" in advice(unsure, metric="log loss")[1]


def test_changes_and_costs_are_told():
    found = compared()
    late = Detection(row=500, at="2024-01-05", found="2024-01-07", delay_rows=200, delay_s=2 * 86400.0)
    missed = Detection(row=900, at="2024-01-09")
    first = replace(found.policies[0], detections=[late, missed], false_alarms=1, cost=1234.5)
    said = advice(replace(found, policies=[first, found.policies[1]]), metric="log loss")
    assert said[2] == "always found 1 of 2 known changes, after 2d (200 rows); 1 of 20 steps had a false alarm."
    assert said[3] == "Cost of errors and trainings: always 1,234.5."


def test_nothing_is_advised_without_a_comparison():
    assert advice(result_of(a={"losses": [0.5], "fits": 1}), metric="log loss") == []
