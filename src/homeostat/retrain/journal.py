"""Where a cycle is, kept as it goes: its row, and its events under keys that a repeated stage finds again."""

from dataclasses import dataclass, replace
from datetime import datetime

from homeostat.audit.log import record as write
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.cycles import Cycle
from homeostat.core.values import Json
from homeostat.retrain.cycle import CycleRequest


@dataclass(frozen=True, kw_only=True)
class CycleJournal:
    """What one cycle writes of itself. Every event has a key of cycle and name, so that a repeated stage writes nothing twice."""

    request: CycleRequest
    store: Store
    clock: Clock
    actor: str

    def asked(self, stage: str) -> datetime:
        """Return when this stage was first reached."""
        with self.store.write() as tx:
            return write(
                tx,
                f"cycle.{stage}_asked",
                subject=f"cycle:{self.request.cycle_id}",
                actor=self.actor,
                time=self.clock.now(),
                key=self.key(f"{stage}_asked"),
            ).time

    def begun(self, step: datetime) -> datetime:
        """Return when the version first met traffic in this cycle; `step` is when the present step began."""
        with self.store.read() as tx:
            first = [tx.audit.by_key(self.key(name)) for name in ("shadow", "canary0")]
        return min([event.time for event in first if event is not None], default=step)

    def cancelled(self) -> str | None:
        """Return by whom the cycle was called off, in words; None where it goes on."""
        with self.store.read() as tx:
            asked = tx.cycles.get(self.request.cycle_id).options.get("cancel")
        return None if asked is None else f"cancelled by {asked}"

    def stage(self, stage: str, *, run_id: str | None = None, version: int | None = None) -> None:
        """Write down where the cycle is, in a transaction of its own."""
        with self.store.write() as tx:
            self.note(tx, stage, run_id=run_id, version=version)

    def note(self, tx: Transaction, stage: str, *, run_id: str | None = None, version: int | None = None) -> None:
        """Write down where the cycle is, with its run and version as soon as they are known."""
        cycle: Cycle = tx.cycles.get(self.request.cycle_id)
        tx.cycles.put(replace(cycle, stage=stage, run_id=run_id or cycle.run_id, version=version or cycle.version))

    def record(self, tx: Transaction, kind: str, payload: Json) -> None:
        """Add an event of the cycle to the audit log."""
        write(
            tx,
            kind,
            subject=f"cycle:{self.request.cycle_id}",
            actor=self.actor,
            time=self.clock.now(),
            payload={"model": self.request.model, **payload},
            key=self.key(kind),
        )

    def key(self, what: str) -> str:
        """Return the key under which a step of this cycle is found again."""
        return f"{self.request.cycle_id}:{what}"
