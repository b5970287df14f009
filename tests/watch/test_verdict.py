import pytest

from homeostat.watch.method import Measured
from homeostat.watch.methods import method
from homeostat.watch.performance import Decay, Performance
from homeostat.watch.quality import Problem, Quality
from homeostat.watch.settings import DriftSettings, WatchSettings
from homeostat.watch.verdict import Drift, drift_of, judge

SETTINGS = WatchSettings()


def performance(state: str = "measured") -> Performance:
    value = 0.5 if state == "measured" else None
    return Performance(metric="log_loss", state=state, rows=500, labelled=500, maturity=1.0, value=value, error=0.01)


def decay(*, decayed: bool = False, effect: float | None = 0.0) -> Decay:
    return Decay(decayed=decayed, because="log_loss is as it is", effect=effect)


def quality(*, broken: bool = False) -> Quality:
    problem = Problem(column="x", rule="null", count=9, share=0.9, expected=0, broken=True, because="x is null")
    return Quality(
        rows=10,
        invalid_rows=9 * broken,
        invalid_share=0.9 * broken,
        answers=10,
        errors=0,
        broken=broken,
        because="column 'x' is null in 9 of 10 rows" if broken else "",
        problems=[problem] if broken else [],
    )


def drift(
    column: str = "x", *, effect: float = 0.5, p_value: float | None = 1e-9, rows: int = 500, **settings
) -> Drift:
    measured = Measured(effect=effect, p_value=p_value)
    return drift_of(column, method("wasserstein"), measured, rows=rows, settings=DriftSettings(**settings))


def verdict(**options):
    given = {"performance": performance(), "decay": decay(), "columns": [], "predictions": [], "quality": quality()}
    return judge(**given | {"settings": SETTINGS} | options)


def test_a_window_like_the_reference_is_ok():
    found = verdict(columns=[drift(effect=0.01, p_value=0.8)])
    assert (found.state, found.causes) == ("ok", [])
    assert found.summary == "log_loss is as it is"
    assert found.is_mature


def test_decay_alarms_and_names_what_moved_meanwhile():
    found = verdict(decay=decay(decayed=True, effect=0.2), columns=[drift("price")])
    assert (found.state, found.decayed, found.drifted) == ("alarm", True, True)
    assert [cause.kind for cause in found.causes] == ["performance", "drift"]
    assert "price" in found.summary


def test_drift_is_a_diagnosis_where_labels_come_and_an_alarm_where_none_can():
    assert verdict(columns=[drift()]).state == "warn"
    blind = verdict(
        columns=[drift()], performance=performance("no_labels"), decay=decay(effect=None), labels_come=False
    )
    assert blind.state == "alarm"


def test_drift_needs_effect_and_significance():
    assert verdict(columns=[drift(effect=0.05)]).state == "ok"  # sure, but small
    assert verdict(columns=[drift(p_value=0.2)]).state == "ok"  # large, but chance
    assert verdict(columns=[drift(effect=0.15)]).state == "warn"
    assert not verdict(columns=[drift(effect=0.15)]).drifted


def test_one_small_p_value_among_many_columns_is_chance():
    many = [drift(f"c{i}", p_value=0.5) for i in range(49)]
    assert verdict(columns=[drift(p_value=0.004)]).drifted
    found = verdict(columns=[drift(p_value=0.004), *many])
    assert not found.drifted
    assert found.columns[0].adjusted == pytest.approx(0.2)


def test_thresholds_that_are_set_move_the_warning_too():
    strict = drift(effect=0.3, thresholds={"wasserstein": 0.6})
    assert (strict.warn, strict.alarm) == pytest.approx((0.3, 0.6))
    assert verdict(columns=[strict]).columns[0].state == "warn"


def test_too_few_values_are_not_measured_and_it_is_said():
    found = verdict(columns=[drift(rows=99)])
    assert found.columns[0].state == "unknown"
    assert found.notes == ["too few values to measure drift in x"]


def test_broken_quality_alarms_whatever_else():
    found = verdict(quality=quality(broken=True), performance=performance("no_labels"), decay=decay(effect=None))
    assert (found.state, found.broken) == ("alarm", True)
    assert found.causes[0].columns == ["x"]


def test_moved_predictions_are_a_cause_of_their_own():
    found = verdict(predictions=[drift("score")])
    assert [(cause.kind, cause.columns) for cause in found.causes] == [("predictions", ["score"])]


def test_an_immature_window_is_unknown_not_ok():
    found = verdict(performance=performance("not_enough_labels"), decay=decay(effect=None), columns=[drift(effect=0.0)])
    assert found.state == "unknown"
    assert "nothing can be said yet" in found.summary


def test_without_labels_unmoved_inputs_are_ok_and_unmeasured_ones_unknown():
    blind = {"performance": performance("no_labels"), "decay": decay(effect=None), "labels_come": False}
    assert verdict(columns=[drift(effect=0.0, p_value=0.9)], **blind).state == "ok"
    assert "no labels come" in verdict(columns=[drift(effect=0.0, p_value=0.9)], **blind).summary
    assert verdict(columns=[drift(rows=5)], **blind).state == "unknown"


def test_control_charts_warn_of_what_two_standard_errors_do_not_see():
    quiet = [0.00, 0.01, -0.01, 0.005, -0.005, 0.01, -0.01, 0.0, 0.004, -0.004]
    assert verdict(decay=decay(effect=0.01), history=quiet).state == "ok"
    sudden = verdict(decay=decay(effect=0.2), history=quiet)
    assert (sudden.state, sudden.decayed) == ("warn", False)
    assert "individuals chart" in sudden.summary
    assert verdict(decay=decay(effect=0.2), history=quiet[:7]).state == "ok"
    assert verdict(decay=decay(effect=-0.2), history=quiet).state == "ok"


def test_a_slow_decline_is_seen_by_the_moving_average():
    calm = [0.01 * (-1) ** i for i in range(30)] + [0.025] * 8
    assert "moving average" in verdict(decay=decay(effect=0.03), history=calm).summary
