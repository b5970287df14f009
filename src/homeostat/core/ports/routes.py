"""Where it is kept who answers for a model, and which workers live."""

from datetime import datetime
from typing import Protocol

from homeostat.core.records.routes import Route, Worker


class RouteStore(Protocol):
    def get(self, model: str) -> Route | None: ...
    def all(self) -> list[Route]: ...
    def put(self, route: Route) -> Route:
        """Store the route under the next generation and return it as stored."""

    def beat(self, worker: Worker) -> None:
        """Insert or refresh a worker's row."""

    def workers(self, *, alive_since: datetime) -> list[Worker]: ...
    def forget_worker(self, worker_id: str) -> None: ...
