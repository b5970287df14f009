"""A new version in real traffic: beside the champion, instead of it for a share of the requests, as the champion, and out of it again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from homeostat.core.errors import CheckFailed, Unreachable
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store
from homeostat.core.values import Json
from homeostat.registry.health import why_unhealthy
from homeostat.registry.routing import promote, send_traffic, take_back
from homeostat.registry.versions import CHAMPION
from homeostat.registry.workers import PATIENCE_S, await_workers
from homeostat.retrain.cycle import CycleRequest
from homeostat.retrain.journal import CycleJournal
from homeostat.retrain.project import Project
from homeostat.retrain.settings import CanaryStep, Rollout
from homeostat.serve.canary import judge
from homeostat.serve.canary_stats import step_stats
from homeostat.train.signature import from_json
from homeostat.watch.drawing import drawn

_QUALITY = ("labelled", "labelled_requests", "loss_mean", "loss_variance", "champion_loss")


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What a cycle does with its version's traffic; each step is found again by its key. `pause` waits the given seconds (and may raise)."""

    request: CycleRequest
    project: Project
    store: Store
    records: RecordLog
    clock: Clock
    journal: CycleJournal
    pause: Callable[[float], None]
    actor: str

    def shadow(self, version: int) -> Json:
        """Let the version see every request."""
        self.journal.stage("shadow", version=version)
        return self._send(version, "shadow", shadow=version)

    def canary(self, version: int, percent: float, name: str) -> Json:
        """Let the version answer a share of the requests."""
        self.journal.stage(f"canary {percent:g}%", version=version)
        return self._send(version, name, canary=version, canary_percent=percent)

    def hold(self, version: int, step: CanaryStep, rollout: Rollout, *, name: str) -> Json:
        """Watch the version until the step can be left; return the action and why."""
        with self.store.read() as tx:
            champion = tx.models.alias(self.request.model, CHAMPION)
            signature = from_json(tx.models.get(self.request.model, version).signature)
        assert champion is not None
        rollout = self.project.tolerant(rollout)
        while True:
            with self.store.read() as tx:
                route = tx.routes.get(self.request.model)
            if route is None or version not in (route.shadow, route.canary) or route.since is None:
                return {"action": "roll_back", "because": f"version {version} was taken out of traffic by hand"}
            if cancelled := self.journal.cancelled():
                return {"action": "roll_back", "because": cancelled}
            if (fault := why_unhealthy(self.store, model=self.request.model, version=version)) is not None:
                return {"action": "roll_back", "because": f"{name}: {fault}"}
            begun = self.journal.begun(route.since)
            read = drawn(self.records, self.request.model, since=begun, most=self.project.watch.max_rows)
            of = partial(
                step_stats, read.predictions, read.labels, champion=champion, candidate=version, now=self.clock.now()
            )
            step_alone = of(since=route.since, task=signature.task, classes=signature.classes)
            whole = of(since=begun, task=signature.task, classes=signature.classes)
            # what labels say of the version's quality adds up over the whole rollout; all else belongs to the step
            stats = replace(step_alone, **{name: getattr(whole, name) for name in _QUALITY})
            advice = judge(stats, step, rollout, is_last=True)
            if advice.action != "hold":
                return {"action": advice.action, "because": f"{name}: {advice.because}"}
            self.pause(rollout.poll.total_seconds())

    def promote(self, version: int) -> Json:
        """Make the version the champion; raise CheckFailed where a worker gave it up."""
        route = promote(
            store=self.store,
            model=self.request.model,
            version=version,
            actor=self.actor,
            now=self.clock.now(),
            force=self.request.force,
            key=self.journal.key("promote"),
        )
        if (fault := self._await_workers(route.generation, putting=version)) is not None:
            raise CheckFailed(f"version {version} was not put to work: {fault}")
        return {"generation": route.generation}

    def withdraw(self, version: int, because: str) -> Json:
        """Take the version out of traffic, and bring the champion of before back."""
        route = take_back(
            store=self.store,
            model=self.request.model,
            version=version,
            actor=self.actor,
            now=self.clock.now(),
            reason=because,
            key=self.journal.key("withdraw"),
        )
        with self.store.write() as tx:
            self.journal.record(tx, "model_version.rolled_back", {"version": version, "because": because})
        self._await_workers(route.generation)
        return {"generation": route.generation}

    def _send(
        self,
        version: int,
        name: str,
        *,
        shadow: int | None = None,
        canary: int | None = None,
        canary_percent: float = 0.0,
    ) -> Json:
        route = send_traffic(
            store=self.store,
            model=self.request.model,
            actor=self.actor,
            now=self.clock.now(),
            shadow=shadow,
            canary=canary,
            canary_percent=canary_percent,
            because=f"cycle {self.request.cycle_id[:12]}: {name} of version {version}",
            force=self.request.force,
            key=self.journal.key(name),
        )
        self._await_workers(route.generation, putting=version)  # one that fails its warm-up is taken back by `hold`
        return {"generation": route.generation}

    def _await_workers(self, generation: int, *, putting: int | None = None) -> str | None:
        """Return when all have switched, or with the reason why the version that is put to work was given up."""

        def fault() -> str | None:
            return None if putting is None else why_unhealthy(self.store, model=self.request.model, version=putting)

        try:
            await_workers(
                self.store,
                clock=self.clock,
                model=self.request.model,
                generation=generation,
                pause=self.pause,
                patience_s=PATIENCE_S[self.project.serve.environments],
            )
        except Unreachable:
            if fault() is None:
                raise
        return fault()
