"""What the parts of a policy mean for each other."""

import pytest

from homeostat.core.columns import Task
from homeostat.data.settings import DataSettings
from homeostat.gate.settings import ChampionRule, GateSettings
from homeostat.retrain.project import Project
from homeostat.retrain.settings import Rollout


@pytest.mark.parametrize(
    ("rule", "own", "margin"),
    [
        (ChampionRule(), None, None),
        (ChampionRule(margin=0.4), None, 0.4),
        (ChampionRule(margin=0.4), 0.1, 0.1),
        (ChampionRule(margin=0.4, metric="log_loss"), None, 0.4),
        (ChampionRule(margin=0.4, metric="roc_auc"), None, None),
        (ChampionRule(margin=0.4, rule="better"), None, 0.0),
        (ChampionRule(margin=0.4, rule="off"), None, None),
    ],
    ids=["neither", "the gate's", "its own first", "named", "in another unit", "a gain is demanded", "off"],
)
def test_a_rollout_without_a_margin_has_that_of_the_gate(rule, own, margin):
    project = Project(
        model="m",
        task=Task.BINARY,
        data=DataSettings(source="a.parquet", target="y"),
        gate=GateSettings(champion=rule),
    )
    assert project.tolerant(Rollout(margin=own)).margin == margin
