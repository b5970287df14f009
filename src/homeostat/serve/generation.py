"""One generation of a model's route, with the versions in memory that answer by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from homeostat.core.columns import Signature
from homeostat.core.errors import Conflict, NotFound
from homeostat.core.records.routes import Route
from homeostat.serve.answer import Question
from homeostat.serve.decoder import Decoder
from homeostat.serve.lane import Lane
from homeostat.serve.loaded import Loaded
from homeostat.serve.record import RecordedRoute
from homeostat.serve.router import choose
from homeostat.serve.table import Table


class Served(msgspec.Struct, kw_only=True, eq=False):
    """What doors may know of a version that answers. `kind`: `compiled`, `process` or `thread`."""

    model: str
    version: int
    route: Route
    decoder: Decoder
    kind: str

    @property
    def signature(self) -> Signature:
        return self.decoder.signature


class Chosen(msgspec.Struct, frozen=True, eq=False):
    """Who answers a question, in which role, and which versions are asked beside. `champion`: who steps in for a canary."""

    answering: Loaded
    role: RecordedRoute
    shadows: Sequence[int]
    champion: Loaded


@dataclass(frozen=True, slots=True, eq=False)
class Generation:
    """A route with all that it needs; replaced whole, never changed. `lane`: its short way, None where it is closed."""

    route: Route
    loaded: Mapping[int, Loaded]
    lane: Lane | None = None

    @property
    def champion(self) -> Loaded:
        if self.route.champion is None:
            raise Conflict(
                f"model '{self.route.model}' has no champion yet",
                hint="promote a version: `homeostat models promote`, or let a cycle finish",
            )
        return self.loaded[self.route.champion]

    def pinned(self, version: int) -> Loaded:
        """Return the version that a request names; raise NotFound where it is not served."""
        found = self.loaded.get(version)
        if found is None:
            known = ", ".join(map(str, sorted(self.loaded))) or "none"
            raise NotFound(
                f"version {version} of model '{self.route.model}' is not served", hint=f"served now: {known}"
            )
        return found

    def served(self, version: int | None) -> Served:
        """Return what doors may know of the version (None: the champion)."""
        found = self.champion if version is None else self.pinned(version)
        return Served(
            model=self.route.model,
            version=found.version,
            route=self.route,
            decoder=found.decoder,
            kind=found.evaluator.kind,
        )

    def choose(self, asked: Question) -> Chosen:
        """Return who answers: the version that the question names, or the one that the route says.

        The key makes the choice of a canary sticky: that of the request, or the rows' own where all have the same, else the request id.
        """
        if asked.version is not None:
            pinned = self.pinned(asked.version)
            return Chosen(pinned, "champion" if asked.version == self.route.champion else "pinned", (), pinned)
        champion = self.champion
        key = asked.key if asked.key is not None else _common(asked.keys)
        features = _in_common(asked.table, self.route) if self.route.segments else None
        choice = choose(self.route, request_id=asked.request_id, key=key, features=features)
        return Chosen(self.loaded[choice.answering], choice.role, choice.shadows, champion)


def _in_common(table: Table, route: Route) -> dict[str, Any]:
    """Return the values that all rows have in the columns by which the route knows its segments."""
    names = {name for segment in route.segments for name in segment.when}
    found: dict[str, Any] = {}
    rows = table.rows()
    for at, column in enumerate(table.columns):
        if column.name in names and all(row[at] == rows[0][at] for row in rows):
            found[column.name] = rows[0][at]
    return found


def _common(keys: Sequence[str | None]) -> str | None:
    """Return the key that all rows have, None where they differ."""
    first = keys[0]
    return first if all(key == first for key in keys) else None
