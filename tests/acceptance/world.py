"""A small world that moves: a binary task whose rule turns round in the middle, and a server in this process."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from homeostat.app.following import RouteFollower
from homeostat.app.project import load
from homeostat.app.wiring import House, open_house
from homeostat.core.ports.probe import CandidateProbe
from homeostat.core.records.cycles import Cycle, CycleState
from homeostat.registry.versions import CHAMPION, package_of
from homeostat.retrain.cycle import CycleRequest, run_cycle
from homeostat.retrain.requests import request_of
from homeostat.retrain.simulated_time import InlineDurable, SimulatedClock
from homeostat.retrain.stages import LiveStages
from homeostat.retrain.tick import decide_and_ask
from homeostat.testing.serving import PlaneInThread
from homeostat.train.package import Package, read_package
from homeostat.train.signature import from_json
from homeostat.watch.look import look
from homeostat.watch.reference import kept_reference

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=10)

YAML = """\
model: churn
task: binary
data: {source: history.parquet, target: y, time: t, label_delay: 1h}
train: {window: 3d, params: {max_iter: 20}}
gate: {infrastructure: false}
watch: {window: 1d, min_labels: 50, drift: {min_rows: 50}}
retrain:
  cooldown: 1d
  rollout:
    shadow_requests: 10
    canary: [{percent: 50, requests: 20}]
    labels: 100
    max_latency_ratio: 1000
    patience: 30d
"""


def rows(n: int, *, start: datetime, turned: bool, seed: int) -> pl.DataFrame:
    """Return rows whose label is a > 0.5 (b as noise), or the contrary when `turned`."""
    rng = np.random.default_rng(seed)
    a, b = rng.random(n), rng.choice(["x", "y", "z"], n)
    y = (a > 0.5) ^ (rng.random(n) < 0.1) ^ turned
    times = pl.Series("t", [start + i * STEP for i in range(n)], dtype=pl.Datetime("us", "UTC"))
    return pl.DataFrame({"t": times, "a": a, "b": b, "y": y.astype(int)})


def packages_of(house: House) -> Callable[[str, int], Package]:
    """Return what loads a version's package into this process, its files checked first."""

    def load_version(model: str, version: int) -> Package:
        with house.store.read() as tx:
            found = tx.models.get(model, version)
        signature = from_json(found.signature) if found.source else None
        return read_package(package_of(found, blobs=house.blobs), signature=signature)

    return load_version


@dataclass
class World:
    """The loop of one project under a fixed clock. Every pause of a waiting step lets traffic flow."""

    root: Path
    turned: bool = False
    yaml: str = YAML
    house: House = field(init=False)
    clock: SimulatedClock = field(init=False)
    plane: PlaneInThread = field(init=False)
    answers: int = 0
    seed: int = 100
    on_pause: Callable[[], None] = lambda: None
    probe: CandidateProbe | None = None

    def __post_init__(self) -> None:
        (self.root / "homeostat.yaml").write_text(self.yaml)
        rows(1440, start=BEGIN - 1440 * STEP, turned=False, seed=1).write_parquet(self.root / "history.parquet")
        self.clock = SimulatedClock(BEGIN)
        self.house = open_house(load(self.root / "homeostat.yaml"), writer_id="test", actor="ann", clock=self.clock)
        self.plane = PlaneInThread(
            packages_of(self.house), self.house.records, self.clock, time_column="t", trial_timeout_s=60.0
        )
        self.follower = RouteFollower(self.house, self.plane, worker_id="worker-0")

    def traffic(self, requests: int = 12, *, per_request: int = 6) -> None:
        """Ask for predictions, an hour each, and tell the truth at once."""
        for _ in range(requests):
            self.seed += 1
            frame = rows(per_request, start=self.clock.now(), turned=self.turned, seed=self.seed)
            key = f"request-{self.seed}"
            self.follower.look()
            self.plane.answer("churn", frame.drop("y").to_dicts(), request_id=key)
            self.answers += per_request
            self.clock.advance(self.clock.now() + per_request * STEP)
            received = self.clock.now()
            labels = [
                {
                    "model": "churn",
                    "request_id": key,
                    "row": i,
                    "value": v,
                    "received": received,
                    "label_id": f"{key}-{i}",
                }
                for i, v in enumerate(frame["y"].to_list())
            ]
            self.house.records.write("labels", labels)
        assert self.plane.flush(30)

    def pause(self, _seconds: float) -> None:
        self.on_pause()
        self.follower.look()
        if self.champion is not None:
            self.traffic(2)

    def close(self) -> None:
        self.plane.close(5)
        self.house.store.close()

    def copy_to(self, root: Path) -> "World":
        """Return a world that goes on from where this one, which is closed, ended."""
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        went_on = World(root, yaml=self.yaml, turned=self.turned, seed=self.seed, answers=self.answers)
        went_on.clock.advance(self.clock.now())
        went_on.follower.look()
        return went_on

    @property
    def champion(self) -> int | None:
        with self.house.store.read() as tx:
            return tx.models.alias("churn", CHAMPION)

    def kinds(self) -> list[str]:
        with self.house.store.read() as tx:
            return [event.kind for event in tx.audit.events()]

    def stages(self, request: CycleRequest) -> LiveStages:
        house = self.house
        return LiveStages(
            request=request,
            project=house.project,
            store=house.store,
            tables=house.tables,
            blobs=house.blobs,
            records=house.records,
            clock=self.clock,
            probe=self.probe,
            root=house.root,
            workdir=house.workdir,
            pause=self.pause,
        )

    def turn(self, cycle: Cycle) -> CycleState:
        """Run a cycle inline."""
        request = request_of(cycle)
        return run_cycle(
            request, stages=self.stages(request), durable=InlineDurable(), policy=self.house.project.retrain
        )

    def tick(self) -> Cycle | None:
        """Watch, decide, and run the cycle that was asked for, if any."""
        house, now = self.house, self.clock.now()
        self.follower.look()
        with house.store.read() as tx:
            champion = tx.models.alias("churn", CHAMPION)
            reference = None if champion is None else kept_reference(tx, "churn", champion)
        if reference is not None:
            look(
                store=house.store,
                records=house.records,
                model="churn",
                reference=reference,
                settings=house.project.watch,
                now=now,
            )
        _, cycle = decide_and_ask(
            store=house.store, records=house.records, project=house.project, now=now, loop_now=now
        )
        if cycle is not None:
            self.turn(cycle)
            self.follower.look()
        return cycle

    def cycle(self, cycle_id: str) -> Cycle:
        with self.house.store.read() as tx:
            return tx.cycles.get(cycle_id)
