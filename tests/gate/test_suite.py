import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.gate.check import Check, Result
from homeostat.gate.checks import CHECKS
from homeostat.gate.settings import Bound, GateSettings, SliceRule
from homeostat.gate.stats import Interval
from homeostat.gate.suite import SuiteReport, run_suite

SETTINGS = GateSettings(metrics={"roc_auc": Bound(min=0.6)}, slices=SliceRule(columns=["region"]))


def failed(report) -> set[str]:
    return {result.check for result in report.failed}


def test_every_check_has_its_test():
    folder = Path(__file__).parent / "checks"
    assert sorted(CHECKS) == sorted(path.stem.removeprefix("test_") for path in folder.glob("test_*.py"))


def test_good_model_passes_alone_and_beside_its_equal(world, scores):
    w = world()
    assert run_suite(w.binary(), SETTINGS).passed
    evidence = w.binary(champion=scores(w.p))
    assert run_suite(replace(evidence, champion_signature=evidence.signature), SETTINGS).passed


def test_first_model_that_learned_nothing_fails(world, scores):
    w = world()
    shuffled = scores(np.random.default_rng(0).permutation(w.p))
    assert "baseline" in failed(run_suite(w.binary(shuffled), GateSettings()))
    assert {"baseline", "sanity"} <= failed(run_suite(w.regression(np.full(w.n, 100.0)), GateSettings()))


def test_candidate_of_shuffled_labels_fails_against_a_champion(world, scores):
    w = world()
    shuffled = scores(np.random.default_rng(0).permutation(w.p))
    report = run_suite(w.binary(shuffled, champion=scores(w.p)), SETTINGS)
    assert {"baseline", "beats_champion", "metric_bounds"} <= failed(report)
    assert not report.passed


def test_nan_predictions_fail_wherever_they_are_looked_at_and_never_pass_there(world, scores):
    w = world()
    p = w.p.copy()
    p[::100] = np.nan
    report = run_suite(w.binary(scores(p), champion=scores(w.p)), SETTINGS)
    assert failed(report) == {"baseline", "beats_champion", "calibration", "metric_bounds", "sanity", "slices"}


def test_a_check_that_raises_is_a_failed_result_and_the_others_still_run(world):
    def homeostat_error(evidence, settings):
        raise InvalidInput("no such thing", hint="try another")

    def defect(evidence, settings):
        raise KeyError("oops")

    def silent(evidence, settings):
        return []

    def good(evidence, settings):
        return [Result(check="good", passed=True, reason="fine")]

    runs = {"a": homeostat_error, "b": defect, "c": silent, "good": good}
    report = run_suite(
        world().binary(), GateSettings(), checks={name: Check(name=name, run=run) for name, run in runs.items()}
    )
    assert [(r.check, r.passed) for r in report.results] == [("a", False), ("b", False), ("c", False), ("good", True)]
    assert report.results[0].reason == "no such thing (try another)"
    assert "KeyError" in report.results[1].reason


def test_skipped_check_does_not_apply_and_unknown_one_is_refused(world, scores):
    w = world()
    report = run_suite(w.binary(champion=scores(w.p)), GateSettings(skip=["beats_champion"]))
    assert next(r for r in report.results if r.check == "beats_champion").passed is None
    with pytest.raises(InvalidInput, match="'beats_champoin', which is no check") as raised:
        run_suite(w.binary(), GateSettings(skip=["beats_champoin"]))
    assert "beats_champion" in raised.value.hint


def test_nothing_looked_at_is_not_a_pass(world):
    report = run_suite(world().binary(), GateSettings(skip=list(CHECKS)))
    assert not report.failed
    assert not report.passed


def test_report_survives_json(world, scores):
    w = world()
    p = w.p.copy()
    p[0] = np.nan
    report = run_suite(w.binary(scores(p), champion=scores(w.p)), SETTINGS, about={"model": "shop"})
    text = json.dumps(report.to_json(), allow_nan=False)
    again = SuiteReport.from_json(json.loads(text))
    assert again.passed is report.passed
    assert again.summary == report.summary
    assert again.to_json() == json.loads(text)


def test_numpy_values_and_strange_details_become_json():
    result = Result(
        check="x",
        passed=True,
        reason="",
        value=np.float64(1.5),
        interval=Interval(estimate=1.0, low=float("nan"), high=2.0, confidence=0.95, error=0.1),
        details={"n": np.int64(3), "bad": float("inf"), ("a", 1): {1, 2}},
    )
    body = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert body["interval"]["low"] is None
    assert body["details"]["bad"] is None
    assert body["details"]["n"] == 3


def test_the_same_seed_gives_the_same_report(world, scores):
    w = world()
    evidence = w.binary(champion=scores(np.clip(w.p + 0.05, 0, 1)))
    first, second = (run_suite(evidence, SETTINGS).to_json() for _ in range(2))
    other = run_suite(replace(evidence, seed=1), SETTINGS).to_json()
    assert first == second != other


def test_evidence_about_different_rows_is_refused(world, scores):
    with pytest.raises(ValueError, match="same rows"):
        world().binary(scores([0.1, 0.2]))
