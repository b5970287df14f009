from dataclasses import dataclass, field, replace
from datetime import timedelta

import numpy as np
import polars as pl
from tests.retrain.worlds import folder_with_rules, moving_world, project

from homeostat.retrain.backtest import prepare
from homeostat.retrain.policies import Chosen
from homeostat.retrain.policy import Decision
from homeostat.retrain.replay import Replay
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.retrain.timeline import KNOWN_AT

DAY = timedelta(days=1)


@dataclass
class Scripted:
    """A policy that trains after the steps that it was given (None: at the start), lets `model` answer where there is one, and keeps its looks."""

    trains: tuple
    model: object = None
    looks: list = field(default_factory=list)

    def decide(self, look):
        self.looks.append(look)
        if look.step in self.trains:
            return look.retrain("script", f"step {look.step}")
        return Decision(kind="nothing", because="not in the script")

    def serving(self, look):
        newest = look.versions[-1] if look.versions else None
        return newest if newest is None or self.model is None else replace(newest, model=self.model)


def replayed(tmp_path, rule, *, steps=6, **parts):
    given = project(**parts)
    line, kinds = prepare(moving_world(days=40), project=given, history=16 * DAY)
    one = Replay(
        line=line,
        kinds=kinds,
        name="script",
        chosen=Chosen(rule=rule, settings=RetrainSettings(), description="", gate="none", work=0.1),
        project=given,
        root=folder_with_rules(tmp_path),
        clock=SimulatedClock(line.begin),
    )
    one.turn("script:start")
    for step in line.steps[:steps]:
        one.live_through(step)
    return one


def result(one, index):
    return one.result_of(one.line.steps[index], {})


def test_each_answered_row_is_shown_with_its_truth_once_and_as_soon_as_that_is_known(tmp_path):
    rule = Scripted(trains=(None,))
    one = replayed(tmp_path, rule, label_delay="3d")
    shown = pl.concat([each.rows for look in rule.looks for each in look.labelled])
    answered = one.line.frame.slice(one.line.steps[0].first, 6 * 100)
    assert shown.equals(answered.filter(pl.col(KNOWN_AT) < one.clock.now()))
    assert shown.height == 4 * 100 + 50
    for look in rule.looks:
        for each in look.labelled:
            assert each.y.tolist() == each.rows["y"].to_list()
            assert np.array_equal(each.predictions.scores, one.serving.answer(each.rows).scores)


def test_a_policy_sees_no_label_before_its_time(tmp_path):
    rule = Scripted(trains=(None, 2))
    one = replayed(tmp_path, rule, label_delay="3d")
    moments = [one.line.begin, *(step.end for step in one.line.steps[:6])]
    assert [look.situation.now for look in rule.looks] == moments
    for look, now in zip(rule.looks, moments, strict=True):
        assert look.known[KNOWN_AT].max() < now
        assert look.known.height == one.line.frame.filter(pl.col(KNOWN_AT) < now).height


def test_a_new_version_answers_from_the_next_step_on(tmp_path):
    one = replayed(tmp_path, Scripted(trains=(None, 2)))
    assert [result(one, index).version for index in range(6)] == [1, 1, 1, 2, 2, 2]
    turns = [result(one, index).turn for index in range(6)]
    assert [(turn.action, turn.version) for turn in turns][1:4] == [("none", 1), ("promoted", 2), ("none", 2)]
    assert turns[2].because == "step 2"


def test_a_cycle_that_fails_leaves_who_answered_and_says_why(tmp_path):
    rule = Scripted(trains=(None,))
    one = replayed(tmp_path, rule, steps=1)
    rule.trains = (1,)
    one.project = project(function="rules:broken")
    one.live_through(one.line.steps[1])
    one.live_through(one.line.steps[2])
    turn = result(one, 1).turn
    assert (turn.action, turn.version) == ("failed", 1)
    assert turn.because.startswith("step 1; ")
    assert "RuntimeError: no luck" in turn.because
    assert result(one, 2).version == 1


def test_a_model_that_raises_is_an_alarm_of_a_step_without_answers(tmp_path):
    class Broken:
        def predict(self, features):
            raise RuntimeError("cannot")

    rule = Scripted(trains=(None,), model=Broken())
    one = replayed(tmp_path, rule, steps=2)
    found = result(one, 1)
    assert (found.state, found.answered, found.version, found.rows) == ("alarm", 0, None, 100)
    assert "RuntimeError: cannot" in found.summary
    assert all(look.labelled == () for look in rule.looks), "nothing was said that a label could be held against"


def test_without_a_champion_nothing_is_answered(tmp_path):
    one = replayed(tmp_path, Scripted(trains=()), steps=1)
    found = result(one, 0)
    assert (found.state, found.summary, found.answered, found.turn.version) == (
        "unknown",
        "there is no champion",
        0,
        None,
    )
