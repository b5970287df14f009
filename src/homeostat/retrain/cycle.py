"""One turn of the loop: snapshot, train, gate, refit, register, approval, shadow, canary, promote or roll back.

Only the order and the decisions stand here. What is done, and where, is behind `Stages`: live it works on the stores and real traffic,
in a backtest on simulated time. `Durable` makes each named step finish once, whatever process dies between.
"""

import math
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from msgspec import structs

from homeostat.core.errors import HomeostatError
from homeostat.core.ports.cycles import Durable
from homeostat.core.records.cycles import CycleState
from homeostat.core.values import Json
from homeostat.retrain.settings import CanaryStep, RetrainSettings, Rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleRequest:
    """Why a cycle runs. `cycle_id` follows from the trigger, so that one trigger starts one cycle.

    `options`: `train` (another module:function), `params`, `force` (a reason to go past the gate), `seed`, `version` (a version that a client
    registered, which is judged and put to work instead of training one).
    """

    cycle_id: str
    model: str
    trigger: str
    because: str
    options: Json = field(default_factory=dict)

    @property
    def force(self) -> str | None:
        return self.options.get("force")

    @property
    def version(self) -> int | None:
        found = self.options.get("version")
        return None if found is None else int(found)


class Stages(Protocol):
    """What a cycle has done for it. Every call may be repeated after a crash and must then find its first result.

    Results are JSON-ready. A HomeostatError ends the cycle as failed.
    """

    def open(self) -> Json:
        """Note that the cycle started; return {"champion": int | None}."""

    def snapshot(self) -> Json:
        """Fix what may be learned from, as known at this moment; return {"dataset", "version", "as_of", "rows"}."""

    def train(self, snapshot: Json) -> Json:
        """Return {"run_id"}."""

    def gate(self, snapshot: Json, trained: Json) -> Json:
        """Return {"passed", "report_id", "summary"}."""

    def refit(self, snapshot: Json, trained: Json) -> Json:
        """Train once more on all rows, the tested ones included; return {"run_id"} of the model to put to work."""

    def register(self, trained: Json, judged: Json) -> Json:
        """Return {"version"}."""

    def await_approval(self, version: int) -> Json:
        """Wait until a person has decided, or the policy's time is over; return {"approved", "because"}."""

    def shadow(self, version: int) -> Json:
        """Let the version see every request and answer none."""

    def canary(self, version: int, percent: float, name: str) -> Json:
        """Let the version answer a share of the requests."""

    def hold(self, version: int, step: CanaryStep, rollout: Rollout, *, name: str) -> Json:
        """Watch the version until the step can be left; return {"action": "advance" | "roll_back", "because"}."""

    def promote(self, version: int) -> Json:
        """Make the version the champion; return when every worker has switched."""

    def withdraw(self, version: int, because: str) -> Json:
        """Take the version out of traffic; where this cycle had made it the champion, the one before is champion again."""

    def close(self, state: CycleState, because: str, outcome: Json) -> Json:
        """Note how the cycle ended."""


def run_cycle(request: CycleRequest, *, stages: Stages, durable: Durable, policy: RetrainSettings) -> CycleState:
    """Run the whole cycle and return how it ended. Whatever fails on the way, the version is out of traffic and the cycle is closed."""
    outcome: Json = {}

    def close(state: CycleState, because: str) -> CycleState:
        durable.step("close", lambda: stages.close(state, because, outcome))
        return state

    try:
        state, because = _turn(request, stages=stages, durable=durable, policy=policy, outcome=outcome)
    except HomeostatError as error:
        state, because = CycleState.FAILED, error.message
    version = outcome.get("version")
    if version is not None and state in (CycleState.FAILED, CycleState.ROLLED_BACK):
        try:
            durable.step("withdraw", lambda: stages.withdraw(version, because))
        except HomeostatError as error:
            because = f"{because}; and taking version {version} back: {error.message}"
    return close(state, because)


def _turn(
    request: CycleRequest, *, stages: Stages, durable: Durable, policy: RetrainSettings, outcome: Json
) -> tuple[CycleState, str]:
    """Return how the cycle is to end, and why. `outcome` gets what came of it so far, so that it is known after an error too."""
    opened = durable.step("open", stages.open)
    snapshot = durable.step("snapshot", stages.snapshot)
    trained = durable.step("train", lambda: stages.train(snapshot))
    judged = durable.step("gate", lambda: stages.gate(snapshot, trained))
    outcome |= {"snapshot": snapshot, **trained, "gate": judged}
    if not judged["passed"] and not request.force:
        return CycleState.REJECTED, judged["summary"]
    final = durable.step("refit", lambda: stages.refit(snapshot, trained))
    version = int(durable.step("register", lambda: stages.register(final, judged))["version"])
    outcome["version"] = version
    if policy.approval:
        answer = durable.step("approval", lambda: stages.await_approval(version))
        if not answer["approved"]:
            return CycleState.REJECTED, answer["because"]
    if opened["champion"] is not None:
        ended = _roll_out(version, stages=stages, durable=durable, rollout=policy.rollout)
        if ended is not None:
            return CycleState.ROLLED_BACK, ended
    durable.step("promote", lambda: stages.promote(version))
    return CycleState.PROMOTED, f"version {version} is champion: {request.because}"


def _roll_out(version: int, *, stages: Stages, durable: Durable, rollout: Rollout) -> str | None:
    """Return None where every step was left upwards, else why the version must go."""
    if rollout.shadow_requests or rollout.shadow_time:
        durable.step("shadow.start", lambda: stages.shadow(version))
        step = CanaryStep(percent=100.0, requests=rollout.shadow_requests, time=rollout.shadow_time)
        # a shadow is evaluated beside the answers, when there is time: how long that takes says nothing yet
        alike = structs.replace(rollout, labels=0, max_latency_ratio=math.inf)
        ended = durable.step("shadow.hold", lambda: stages.hold(version, step, alike, name="shadow"))
        if ended["action"] == "roll_back":
            return str(ended["because"])
    last = len(rollout.canary) - 1
    for index, step in enumerate(rollout.canary):
        name = f"canary{index}"
        durable.step(f"{name}.start", partial(stages.canary, version, step.percent, name))
        patient = rollout if index == last else structs.replace(rollout, labels=0)
        ended = durable.step(f"{name}.hold", partial(stages.hold, version, step, patient, name=name))
        if ended["action"] == "roll_back":
            return str(ended["because"])
    return None
