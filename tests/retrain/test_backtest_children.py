import pytest
from tests.retrain.worlds import folder_with_rules, moving_world, project

from homeostat.core.duration import Duration
from homeostat.core.errors import JobFailed
from homeostat.retrain.backtest import backtest
from homeostat.retrain.backtest_children import backtest_in_children
from homeostat.train.settings import TrainSettings

HISTORY = Duration(days=16)


def test_children_find_what_one_process_finds(tmp_path):
    root, seen = folder_with_rules(tmp_path), []
    policies = {"never": "never", "policy": project().retrain}
    apart = backtest_in_children(
        moving_world(),
        project=project(),
        policies=policies,
        history=HISTORY,
        root=root,
        workdir=tmp_path / "work",
        progress=seen.append,
    )
    together = backtest(moving_world(), project=project(), policies=policies, history=HISTORY, root=root)
    assert [one.policy for one in apart.policies] == ["never", "policy"]
    for one, two in zip(apart.policies, together.policies, strict=True):
        assert (one.steps, one.metrics, one.start) == (two.steps, two.metrics, two.start)
        assert one.cpu_s > 0
    assert sorted((p.policy, p.done) for p in seen) == sorted((n, i + 1) for n in policies for i in range(22))


def test_a_child_that_ends_by_itself_fails_the_backtest_and_stops_the_others(tmp_path):
    (tmp_path / "quits.py").write_text("import os\n\ndef train(data):\n    print('so long')\n    os._exit(3)\n")
    (tmp_path / "hangs.py").write_text("import time\n\ndef train(data):\n    time.sleep(600)\n")
    quits = project(function="quits:train")
    with pytest.raises(JobFailed, match="replay of 'never' ended by itself with exit code 3") as error:
        backtest_in_children(
            moving_world(),
            project=quits,
            policies={"never": "never"},
            history=HISTORY,
            root=tmp_path,
            workdir=tmp_path / "work",
        )
    assert "so long" in error.value.hint


def test_a_replay_that_takes_too_long_is_stopped(tmp_path):
    (tmp_path / "hangs.py").write_text("import time\n\ndef train(data):\n    time.sleep(600)\n")
    hangs = project(train=TrainSettings(function="hangs:train", timeout=Duration(milliseconds=60)))
    with pytest.raises(JobFailed, match="was stopped after"):
        backtest_in_children(
            moving_world(),
            project=hangs,
            policies={"never": "never"},
            history=HISTORY,
            root=tmp_path,
            workdir=tmp_path / "work",
        )
