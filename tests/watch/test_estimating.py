import msgspec
import numpy as np
import polars as pl
import pytest
from tests.watch.cases import KINDS, SETTINGS, answers, chance, rows, truth

from homeostat.core.columns import Task
from homeostat.watch.baseline import baseline_of
from homeostat.watch.estimate import Estimate, light_of, track_of
from homeostat.watch.estimating import best, estimated
from homeostat.watch.observe import observe
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import DriftSettings, WatchSettings
from homeostat.watch.together import with_joint_drift

FRAME = rows(3_000, 1)
Y = truth(FRAME, 1)
REFERENCE = build_reference(FRAME, Y, answers(FRAME), kinds=KINDS, task=Task.BINARY, metric="accuracy", version=1)
BASELINE = baseline_of(FRAME, Y, answers(FRAME), kinds=KINDS, task=Task.BINARY)


def window(
    seed: int,
    *,
    shift: float = 0.0,
    labelled: bool = False,
    flip: float = 0.0,
    earlier=(),
    before=None,
    settings=SETTINGS,
):
    frame = rows(800, seed, shift=shift)
    y = truth(frame, seed, flip=flip)
    verdict = observe(
        frame,
        reference=REFERENCE,
        predictions=answers(frame),
        y=y if labelled else None,
        settings=settings,
        labels_come=True,
    )
    known = pl.Series("label", y if labelled else [None] * len(y), dtype=pl.String)
    return estimated(
        verdict,
        frame,
        answers(frame),
        truth=known,
        baseline=BASELINE,
        reference=REFERENCE,
        settings=settings,
        earlier=earlier,
        before=before,
    )


def test_a_window_without_labels_says_what_is_expected_and_stays_unknown():
    found = window(5)
    assert {one.method for one in found.estimates} == {"cbpe", "pape"}
    assert found.state == "unknown"
    assert "is estimated at" in found.summary
    frame = rows(800, 5)
    realised = float((truth(frame, 5) == answers(frame).labels).mean())
    for one in found.estimates:
        assert one.low - 0.02 < realised < one.high + 0.02
        assert (one.realised, one.light) == (None, "green")


def harder() -> tuple[pl.DataFrame, np.ndarray]:
    """Rows near the boundary only: harder for the model, by its own scores."""
    frame = rows(6_000, 9)
    frame = frame.filter(pl.Series(np.abs(chance(frame) - 0.5) < 0.2)).head(800)
    return frame, truth(frame, 9)


def test_rows_that_became_harder_warn_before_their_labels_and_nothing_more():
    frame, y = harder()
    verdict = observe(frame, reference=REFERENCE, predictions=answers(frame), y=None, settings=SETTINGS)
    found = estimated(
        msgspec.structs.replace(verdict, state="unknown", causes=[]),
        frame,
        answers(frame),
        truth=pl.Series([None] * 800),
        baseline=BASELINE,
        reference=REFERENCE,
        settings=WatchSettings(estimates=["cbpe"], drift=DriftSettings(joint=[])),
    )
    (one,) = found.estimates
    assert (one.light, one.is_used) == ("amber", True)  # the inputs are told apart with ease
    realised = float((y == answers(frame).labels).mean())
    assert abs(one.value - realised) < abs(one.was - realised) / 3
    assert (found.state, found.causes[0].kind, found.causes[0].state) == ("warn", "estimate", "warn")
    assert (found.decayed, found.broken) == (False, False)  # what triggers read


def test_labels_score_the_estimate_that_was_made_before_them():
    first = window(6)
    later = window(6, labelled=True, before=first)
    assert [one.value for one in later.estimates] == [one.value for one in first.estimates]
    assert later.estimates[0].realised == later.performance.value
    assert later.estimates[0].calibration < 0.08
    assert "is estimated" not in later.summary


def test_a_turned_concept_turns_the_light_red_from_the_next_window_on():
    turned = window(7, labelled=True, flip=0.3)
    following = window(8, earlier=[turned])
    assert {one.light for one in following.estimates} == {"red"}
    assert best(following.estimates) is None
    assert "calibration error" in following.estimates[0].because


def scored(value: float, realised: float, was: float = 0.9) -> Estimate:
    return Estimate(
        method="cbpe", metric="accuracy", value=value, low=value, high=value, was=was, rows=800, light="green", because="",
        is_used=True, realised=realised, calibration=0.01,
    )  # fmt: skip


@pytest.mark.parametrize(("value", "is_used"), [(0.71, True), (0.45, False)])
def test_an_estimate_that_did_not_beat_no_change_is_switched_off(value, is_used):
    past = [msgspec.structs.replace(window(6, labelled=True), estimates=[scored(value, 0.7)]) for _ in range(4)]
    found = {one.method: one for one in window(8, earlier=past).estimates}
    assert found["cbpe"].is_used is is_used
    assert found["cbpe"].track.windows == 4
    assert found["cbpe"].track.constant_error == pytest.approx(0.2)
    assert found["pape"].is_used


def test_a_record_of_few_windows_switches_nothing_off():
    assert track_of([scored(0.5, 0.9)] * 3).beats
    assert not track_of([scored(0.5, 0.9)] * 4).beats
    assert track_of([scored(0.5, 0.9)] * 20 + [scored(0.7, 0.7)] * 12).beats  # only the newest twelve count


def test_lights():
    fine = {"calibration_error": 0.01, "calibrated_on": 1_000, "auc": 0.55, "effective_rows": 2_000.0}
    assert light_of(**fine)[0] == "green"
    assert light_of(**fine | {"auc": 0.8})[0] == "amber"
    assert light_of(**fine | {"effective_rows": 50.0})[0] == "red"
    assert light_of(**fine | {"calibration_error": 0.09, "calibrated_on": 20})[0] == "green"  # chance on twenty rows
    assert light_of(calibration_error=None, calibrated_on=0, auc=None, effective_rows=None)[0] == "amber"


def test_inputs_that_moved_together_warn_beside_labels_and_alarm_without():
    moved = window(5, shift=1.0)
    assert {one.method for one in moved.joint} == {"domain_classifier", "pca_reconstruction"}
    assert moved.joint[0].state == "alarm"
    assert moved.joint[0].columns == ["x"]
    together = [cause for cause in moved.causes if "together" in cause.because]
    assert [(cause.kind, cause.state, cause.columns) for cause in together] == [("drift", "warn", ["x"])]
    assert moved.drifted
    alone = with_joint_drift(msgspec.structs.replace(moved, labels_come=False, state="warn", causes=[]), moved.joint)
    assert (alone.state, alone.causes[0].state) == ("alarm", "alarm")
    assert not [cause for cause in window(5).causes if "together" in cause.because]


def test_estimates_can_be_switched_off_and_small_windows_have_none():
    assert window(5, settings=WatchSettings(estimates=[])).estimates == []
