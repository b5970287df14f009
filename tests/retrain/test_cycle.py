"""Whatever fails in a cycle, it ends in a defined state and its version is out of traffic."""

import pytest

from homeostat.core.errors import JobFailed, Unreachable
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.settings import CanaryStep, RetrainSettings, Rollout
from homeostat.retrain.simulated_time import InlineDurable

REQUEST = CycleRequest(cycle_id="c", model="m", trigger="manual", because="a test")
POLICY = RetrainSettings(approval=True, rollout=Rollout(canary=[CanaryStep(percent=10.0), CanaryStep(percent=50.0)]))
ANSWERS = {
    "open": {"champion": 1},
    "gate": {"passed": True, "report_id": "r", "summary": "the gate passed"},
    "train": {"run_id": "t"},
    "refit": {"run_id": "t"},
    "register": {"version": 2},
    "await_approval": {"approved": True, "because": "ann said so"},
    "hold": {"action": "advance", "because": "good"},
}
BEFORE_THE_VERSION = ["open", "snapshot", "train", "gate", "refit", "register"]
AFTER_IT = ["await_approval", "shadow", "canary", "hold", "promote"]


class Scripted:
    """Stages that answer what they are told, raise where they are told, and keep what was asked of them."""

    def __init__(self, raises=None, **answers):
        self.raises = raises or {}
        self.answers = ANSWERS | answers
        self.asked = []
        self.closed = None

    def __getattr__(self, name):
        def stage(*arguments, **_options):
            self.asked.append(name)
            if name in self.raises:
                raise self.raises[name]
            if name == "close":
                self.closed = arguments
            return self.answers.get(name, {})

        return stage


def run(stages):
    return run_cycle(REQUEST, stages=stages, durable=InlineDurable(), policy=POLICY)


def test_a_good_cycle_promotes_at_the_end():
    stages = Scripted()
    assert run(stages) is CycleState.PROMOTED
    assert stages.asked[-2:] == ["promote", "close"]
    assert "withdraw" not in stages.asked


@pytest.mark.parametrize("name", BEFORE_THE_VERSION)
def test_an_error_before_there_is_a_version_fails_the_cycle(name):
    stages = Scripted({name: JobFailed("it broke")})
    assert run(stages) is CycleState.FAILED
    assert stages.asked[-2:] == [name, "close"]
    assert stages.closed[:2] == (CycleState.FAILED, "it broke")


@pytest.mark.parametrize("name", AFTER_IT)
def test_an_error_after_it_fails_the_cycle_and_takes_the_version_back(name):
    stages = Scripted({name: Unreachable("worker-0 cannot load version 2")})
    assert run(stages) is CycleState.FAILED
    assert stages.asked[-3:] == [name, "withdraw", "close"]
    state, because, outcome = stages.closed
    assert (state, because) == (CycleState.FAILED, "worker-0 cannot load version 2")
    assert outcome["version"] == 2


@pytest.mark.parametrize(("raises", "state"), [({"promote": Unreachable("no")}, "failed"), ({}, "rolled_back")])
def test_a_version_that_cannot_be_taken_back_cleanly_still_ends_the_cycle(raises, state):
    stages = Scripted(
        {**raises, "withdraw": Unreachable("nobody listens")},
        hold={"action": "advance" if raises else "roll_back", "because": "it is slow"},
    )
    assert run(stages).value == state
    assert "taking version 2 back: nobody listens" in stages.closed[1]


def test_a_refused_version_never_meets_traffic():
    stages = Scripted(await_approval={"approved": False, "because": "ann said no"})
    assert run(stages) is CycleState.REJECTED
    assert stages.asked[-2:] == ["await_approval", "close"]
    assert "shadow" not in stages.asked
