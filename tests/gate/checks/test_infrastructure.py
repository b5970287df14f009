import math
from dataclasses import dataclass, field

import pytest

from homeostat.core.duration import Duration
from homeostat.core.errors import Unreachable
from homeostat.gate.checks.infrastructure import CHECK
from homeostat.gate.settings import GateSettings
from homeostat.gate.suite import run_suite


@dataclass
class Answer:
    outputs: list
    load_s: float = 0.4
    latency_ms: list = field(default_factory=lambda: [1.0, 2.0, 3.0])


def outputs(evidence):
    return evidence.candidate.to_frame().head(50).to_dicts()


def results(evidence, answer, **settings):
    from dataclasses import replace

    found = CHECK.run(replace(evidence, probe=lambda: answer), GateSettings(**settings))
    return {r.subject: r for r in found}


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_same_answers_as_at_training_time_pass(world, kind):
    evidence = getattr(world(), kind)()
    found = results(evidence, Answer(outputs(evidence)))
    assert found["loads"].passed
    assert found["agrees"].passed


def test_bare_numbers_are_understood(world):
    evidence = world().regression()
    assert results(evidence, Answer(evidence.candidate.labels[:50].tolist()))["agrees"].passed


@pytest.mark.parametrize("spoil", [1e-5, math.nan, None, "x"])
def test_one_answer_that_differs_fails_and_its_row_is_named(world, spoil):
    evidence = world().regression()
    answers = outputs(evidence)
    bad = answers[7]["prediction"] * (1 + spoil) if spoil == 1e-5 else spoil
    answers[7] = {"prediction": bad}
    found = results(evidence, Answer(answers))["agrees"]
    assert not found.passed
    assert found.details["rows"] == [7]


def test_other_label_or_scores_fail(world):
    evidence = world().binary()
    for change in ({"prediction": "maybe"}, {"scores": [0.5, 0.5]}, {"scores": [1.0]}):
        answers = outputs(evidence)
        answers[0] = answers[0] | change
        assert not results(evidence, Answer(answers))["agrees"].passed


def test_too_few_answers_fail(world):
    evidence = world().binary()
    assert "3 answers to 50 rows" in results(evidence, Answer(outputs(evidence)[:3]))["agrees"].reason


def test_latency_is_held_against_its_limit(world):
    evidence = world().binary()
    slow = Answer(outputs(evidence), latency_ms=[1.0] * 80 + [500.0] * 20)
    assert results(evidence, slow)["latency_ms"].passed is None
    assert results(evidence, slow, max_latency=Duration(milliseconds=100))["latency_ms"].passed is False
    assert results(evidence, slow, max_latency=Duration(seconds=1))["latency_ms"].passed is True


def test_server_that_does_not_start_is_a_failed_result_of_the_suite(world):
    from dataclasses import replace

    def probe():
        raise Unreachable("the server did not answer within 60 s", hint="see its log")

    report = run_suite(replace(world().binary(), probe=probe), GateSettings())
    (failed,) = report.failed
    assert failed.check == "infrastructure"
    assert "did not answer within 60 s (see its log)" in failed.reason


def test_switched_off_or_without_a_server_it_does_not_apply(world):
    assert [r.passed for r in CHECK.run(world().binary(), GateSettings())] == [None]
    assert [r.passed for r in CHECK.run(world().binary(), GateSettings(infrastructure=False))] == [None]
