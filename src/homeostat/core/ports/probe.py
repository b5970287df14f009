"""A candidate in a real server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from homeostat.core.values import Json


class CandidateProbe(Protocol):
    """Loads a candidate in a fresh process of the real server and queries it."""

    def predict(
        self, package: Path, rows: Sequence[Json], *, timeout_s: float, signature: Json | None = None
    ) -> "ProbeAnswer":
        """Return its answers. A package that a client logged needs the `signature` of its version."""


class ProbeAnswer(Protocol):
    @property
    def outputs(self) -> list[Any]: ...
    @property
    def load_s(self) -> float: ...
    @property
    def latency_ms(self) -> list[float]: ...
