"""Where verdicts and incidents are kept."""

from typing import Protocol

from homeostat.core.records.watching import Incident, WindowVerdict
from homeostat.core.values import Json


class WatchStore(Protocol):
    def add(self, verdict: WindowVerdict) -> None: ...
    def verdicts(self, model: str, *, limit: int | None = None) -> list[WindowVerdict]:
        """Return the newest revision of each window, oldest window first; `limit` keeps the newest ones."""

    def get_state(self, name: str) -> Json | None:
        """Return a small piece of state kept between ticks (a cursor, a reference profile)."""

    def set_state(self, name: str, value: Json) -> None: ...


class IncidentStore(Protocol):
    def put(self, incident: Incident) -> None:
        """Insert or replace by `incident_id`."""

    def get(self, incident_id: str) -> Incident:
        """Return the incident of that id, or of those first digits; raise NotFound."""

    def newest(self, model: str, kind: str) -> Incident | None:
        """Return the one that opened last, open or over."""

    def recent(self, model: str, *, limit: int = 50) -> list[Incident]:
        """Return incidents, newest first."""
