import json
from itertools import count

import numpy as np
import polars as pl
import pytest
from tests.retrain.worlds import START, folder_with_rules, moving_world, project

from homeostat.core.columns import Kind, Task
from homeostat.core.duration import Duration
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.data.kinds import infer_kinds
from homeostat.data.settings import DataSettings
from homeostat.retrain.backtest import backtest, prepare
from homeostat.retrain.backtest_result import BacktestResult
from homeostat.retrain.settings import RetrainSettings, Triggers
from homeostat.retrain.timeline import Timeline
from homeostat.train.settings import TrainSettings
from homeostat.watch.settings import WatchSettings


def replayed(tmp_path, frame=None, *, given=None, **options) -> BacktestResult:
    options = {"history": Duration(days=16)} | options
    return backtest(
        moving_world() if frame is None else frame,
        project=given or project(),
        root=folder_with_rules(tmp_path),
        **options,
    )


@pytest.fixture(scope="module")
def usual(tmp_path_factory) -> BacktestResult:
    """The replay of the usual world under the usual policies, made once."""
    return replayed(tmp_path_factory.mktemp("usual"))


def told(result: BacktestResult, policy: str) -> list[tuple]:
    steps = result.policy(policy).steps
    return [(s.index, s.version, s.metrics, s.state, s.value, s.summary, s.turn) for s in steps]


def test_the_policy_notices_the_change_and_comes_near_always_with_fewer_trainings(usual):
    result = usual
    never, always, policy = (result.policy(name) for name in ("never", "always", "policy"))
    assert never.retrainings == 0
    assert always.retrainings == len(always.steps)
    assert 1 <= policy.retrainings <= 6
    assert never.metrics["log_loss"] > policy.metrics["log_loss"] + 0.1
    assert policy.metrics["log_loss"] < always.metrics["log_loss"] + 0.15
    assert policy.retrainings < always.retrainings / 3
    changed = policy.steps[7]  # the change is on day 30, the eighth step is days 30 and 31
    assert (changed.state, changed.turn.trigger) == ("alarm", "performance")
    assert "log_loss went from" in changed.turn.because
    recovered = next(step.index for step in policy.steps[8:] if step.metrics["log_loss"] < 0.6)
    assert recovered <= 12


def test_every_step_has_its_numbers(usual):
    result = usual
    assert result.history_rows == 16 * 50
    for one in result.policies:
        assert [step.index for step in one.steps] == list(range(22))
        assert sum(step.rows for step in one.steps) == one.rows == one.answered == result.replayed_rows
        assert {"log_loss", "roc_auc", "brier", "accuracy"} <= set(one.metrics)
        weighted = sum(step.metrics["brier"] * step.rows for step in one.steps) / one.rows
        assert one.metrics["brier"] == pytest.approx(weighted)
        assert one.mean_metrics["roc_auc"] == pytest.approx(np.mean([s.metrics["roc_auc"] for s in one.steps]))
        assert one.worst.value == max(step.metrics["log_loss"] for step in one.steps)
        assert one.start.action == "promoted"


def test_the_result_goes_through_json(usual):
    assert BacktestResult.from_json(json.loads(json.dumps(usual.to_json()))) == usual
    with pytest.raises(InvalidInput, match="no backtest result"):
        BacktestResult.from_json({"model": 1})


def test_the_same_replay_gives_the_same_result(tmp_path, usual):
    again = replayed(tmp_path)
    assert all(told(again, name) == told(usual, name) for name in ("never", "always", "policy"))


@pytest.mark.parametrize("delay", ["0s", "3d", "10d"])
def test_nothing_is_used_before_it_was_known(tmp_path, usual, delay):
    """Labels known from day 40 on are replaced by garbage: all that was said and done before is the same to the last bit."""
    frame = moving_world()
    known_from = pl.col("at") + Duration.parse(delay) >= START + Duration(days=40)
    garbage = frame.with_columns(
        y=pl.when(known_from).then(1 - pl.col("y")).otherwise(pl.col("y")),
    )
    given = project(label_delay=delay)
    one = usual if delay == "0s" else replayed(tmp_path, frame, given=given)
    two = replayed(tmp_path, garbage, given=given)
    end = (START + Duration(days=40)).isoformat()
    for name in ("never", "always", "policy"):
        before = [step for step in one.policy(name).steps if step.end <= end]
        again = [step for step in two.policy(name).steps if step.end <= end]
        assert len(before) == 12
        assert [s.turn for s in before] == [s.turn for s in again]
        assert [s.version for s in before] == [s.version for s in again]
        judged = [(s.state, s.value, s.summary) for s in before if s.judged_at is not None and s.judged_at <= end]
        assert judged == [
            (s.state, s.value, s.summary) for s in again if s.judged_at is not None and s.judged_at <= end
        ]
    # and it can tell: after that moment the garbage does make a difference
    assert [s.turn for s in one.policy("policy").steps] != [s.turn for s in two.policy("policy").steps]


def test_a_future_value_of_a_feature_is_not_used_either(tmp_path, usual):
    frame = moving_world()
    later = pl.col("at") >= START + Duration(days=40)
    garbage = frame.with_columns(x=pl.when(later).then(3 - pl.col("x")).otherwise(pl.col("x")))
    one, two = usual, replayed(tmp_path, garbage)
    for name in ("never", "always", "policy"):
        assert told(one, name)[:12] == told(two, name)[:12]
        assert told(one, name)[12:] != told(two, name)[12:]


def test_a_timeline_that_looks_ahead_ends_the_backtest(tmp_path, monkeypatch):
    monkeypatch.setattr(Timeline, "known", lambda self, now: self.frame)
    with pytest.raises(InvalidInput, match="a model would learn at"):
        replayed(tmp_path, policies={"never": "never"})


def test_a_late_label_makes_for_a_late_alarm(tmp_path):
    late = replayed(tmp_path, given=project(label_delay="6d")).policy("policy")
    action = next(step for step in late.steps if step.turn.action != "none")
    # the window of days 30 and 31 is known after six more days
    assert action.index == 10
    seen = late.steps[7]
    assert (seen.state, seen.judged_at) == ("alarm", (START + Duration(days=38)).isoformat())


def test_the_cool_down_holds_in_simulated_time(tmp_path):
    eager = RetrainSettings(cooldown=Duration(days=6), triggers=Triggers(new_rows=1))
    steps = replayed(tmp_path, policies={"p": eager}).policy("p").steps
    acted = [step.index for step in steps if step.turn.action in ("promoted", "rejected")]
    assert len(acted) > 2
    assert min(np.diff(acted)) >= 3
    waits = [step for step in steps if step.turn.action == "waited"]
    assert waits
    assert all("cool-down" in step.turn.because for step in waits)


def test_a_schedule_runs_in_simulated_time(tmp_path):
    weekly = RetrainSettings(cooldown=Duration(), triggers=Triggers(performance=False, schedule="0 0 * * 1"))
    steps = replayed(tmp_path, policies={"p": weekly}).policy("p").steps
    acted = [step for step in steps if step.turn.action in ("promoted", "rejected")]
    assert [step.turn.trigger for step in acted] == ["schedule"] * 6


def test_cpu_seconds_are_what_the_given_counter_says(tmp_path):
    ticks = count(0, 7)
    result = replayed(tmp_path, policies={"never": "never"}, cpu=lambda: float(next(ticks)))
    assert result.policies[0].cpu_s == 7.0


def test_progress_is_told_step_by_step(tmp_path):
    seen = []
    replayed(tmp_path, policies={"never": "never", "always": "always"}, progress=seen.append)
    assert [(p.policy, p.done) for p in seen] == [(n, i + 1) for n in ("never", "always") for i in range(22)]


def test_a_train_function_that_raises_leaves_the_steps_unanswered_and_is_told(tmp_path):
    result = replayed(tmp_path, given=project(function="rules:broken"))
    for one in result.policies:
        assert (one.answered, one.metrics, one.worst) == (0, {}, None)
        assert one.start.action == "failed"
        assert "no luck" in one.start.because
    policy = result.policy("policy")
    assert policy.steps[0].summary == "there is no champion"
    assert 1 < policy.fits < len(policy.steps) / 2  # failures make it wait longer


def test_rows_without_a_time_column(tmp_path):
    frame = moving_world().drop("at")
    given = project(
        time=None,
        train=TrainSettings(function="rules:train", max_rows=500),
        watch=WatchSettings(window_rows=100, min_labels=50),
    )
    result = backtest(frame, project=given, history=800, root=folder_with_rules(tmp_path))
    never, always, policy = (result.policy(name) for name in ("never", "always", "policy"))
    assert (result.has_times, len(never.steps)) == (False, 22)
    assert always.metrics["log_loss"] < never.metrics["log_loss"]
    assert policy.retrainings >= 1


def test_times_as_text_and_null_labels(tmp_path):
    frame = moving_world().with_columns(
        at=pl.col("at").dt.strftime("%Y-%m-%d %H:%M:%S"),
        y=pl.when(pl.int_range(pl.len()) % 10 == 0).then(None).otherwise(pl.col("y")),
    )
    never = replayed(tmp_path, frame, policies={"never": "never"}).policies[0]
    assert (never.rows, never.answered) == (2200, 2200)
    assert "log_loss" in never.metrics


def test_a_class_that_history_does_not_know(tmp_path):
    rng = np.random.default_rng(0)
    n = 2000
    x = rng.integers(0, 3, n)
    names = np.array(["a", "b", "c"])
    y = np.where((x == 2) & (np.arange(n) < 1200), "a", names[x])
    frame = pl.DataFrame({"x": x, "w": rng.normal(size=n), "y": y})
    given = project(
        time=None,
        data=DataSettings(source="s", target="y"),
        train=TrainSettings(max_rows=400, params={"max_iter": 20}),
        watch=WatchSettings(window_rows=200, min_labels=50),
    )
    given = type(given)(**{f: getattr(given, f) for f in given.__struct_fields__} | {"task": Task.MULTICLASS})
    result = backtest(frame, project=given, history=800, root=tmp_path)
    never, always = result.policy("never"), result.policy("always")
    assert always.metrics["accuracy"] > never.metrics["accuracy"] + 0.1


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda frame: frame.drop("y"), "target"),
        (lambda frame: frame.drop("at"), "time"),
        (lambda frame: frame.head(100), "history"),
        (lambda frame: frame.clear(), "rows"),
    ],
)
def test_data_that_cannot_be_replayed_are_refused(tmp_path, change, match):
    with pytest.raises(HomeostatError, match=match):
        replayed(tmp_path, change(moving_world()), history=None)


def test_what_a_column_is_follows_from_the_history_alone():
    frame = moving_world().with_columns(
        word=pl.when(pl.col("at") < START + Duration(days=16))
        .then(pl.lit("a") + (pl.int_range(pl.len()) % 5).cast(pl.String))
        .otherwise(pl.lit("only once ") + pl.int_range(pl.len()).cast(pl.String))
    )
    _, kinds = prepare(frame, project=project(), history=Duration(days=16))
    assert kinds["word"] is Kind.CATEGORY
    assert infer_kinds(frame)["word"] is Kind.TEXT


def test_a_projects_stack_fits_less_than_a_model_for_every_batch_and_does_as_well(tmp_path):
    """Through the gate, as production would: weights come of every batch, members of a change alone."""
    every = RetrainSettings(triggers=Triggers(new_rows=100), cooldown=Duration(hours=1))
    stack = RetrainSettings(policy="stack", triggers=Triggers(new_rows=100), cooldown=Duration(hours=1))
    result = replayed(tmp_path, policies={"every": every, "stack": stack})
    one, other = result.policies
    assert other.fits < one.fits / 2
    assert other.metrics["log_loss"] < one.metrics["log_loss"]
    assert "a stack of past champions" in other.description
    still = replayed(tmp_path, moving_world(change=99), policies={"stack": stack}).policies[0]
    assert still.fits == 2  # the first model, tested and on all rows
