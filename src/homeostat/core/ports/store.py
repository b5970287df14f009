"""All metadata, in transactions."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from homeostat.core.ports.audit import AuditStore
from homeostat.core.ports.cycles import CycleStore
from homeostat.core.ports.data import DatasetStore
from homeostat.core.ports.garbage import GarbageStore
from homeostat.core.ports.registry import ModelStore
from homeostat.core.ports.routes import RouteStore
from homeostat.core.ports.traces import TraceStore
from homeostat.core.ports.tracking import ExperimentStore, LoggedModelStore, RunStore
from homeostat.core.ports.watching import IncidentStore, WatchStore
from homeostat.core.ports.webhooks import WebhookStore

T = TypeVar("T")


class Transaction(Protocol):
    """All metadata, in one database transaction: state and its audit event are written together or not at all."""

    @property
    def audit(self) -> AuditStore: ...
    @property
    def experiments(self) -> ExperimentStore: ...
    @property
    def runs(self) -> RunStore: ...
    @property
    def datasets(self) -> DatasetStore: ...
    @property
    def models(self) -> ModelStore: ...
    @property
    def logged_models(self) -> LoggedModelStore: ...
    @property
    def routes(self) -> RouteStore: ...
    @property
    def watch(self) -> WatchStore: ...
    @property
    def incidents(self) -> IncidentStore: ...
    @property
    def cycles(self) -> CycleStore: ...
    @property
    def traces(self) -> TraceStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def garbage(self) -> GarbageStore: ...


class Store(Protocol):
    def write(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that commits at the end of the block and rolls back on an exception. Writers queue."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a consistent view; writing in it is an error."""

    def submit(
        self, change: Callable[[Transaction], T], done: Callable[[T | None, BaseException | None], None]
    ) -> None:
        """Queue a change for the one writer, and return at once.

        Changes that wait together are committed together (group commit), each in a savepoint: one that raises undoes itself alone.
        `done(result, error)` is called in the writer's thread when the change is durable, or was refused. It must not block.
        """
