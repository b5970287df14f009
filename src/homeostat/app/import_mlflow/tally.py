"""How much there was and how much there is: the count that says whether everything came over."""

from collections.abc import Mapping
from dataclasses import dataclass, field

ROWS = (
    "experiments",
    "runs",
    "params",
    "tags",
    "metrics",
    "metric points",
    "inputs",
    "logged models",
    "registered models",
    "model versions",
    "aliases",
    "traces",
    "spans",
    "files",
    "bytes",
)


@dataclass(slots=True)
class Tally:
    """How much of everything there is: `source` in the store that was read, `here` as read back from ours afterwards."""

    source: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROWS, 0))
    here: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ROWS, 0))
    problems: list[str] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        return not self.problems and self.source == self.here

    def add(self, name: str, source: int, here: int) -> None:
        self.source[name] += source
        self.here[name] += here


def equal(theirs: Mapping[str, str], ours: Mapping[str, str]) -> int:
    """Return how many of their pairs are ours too."""
    return sum(ours.get(key) == value for key, value in theirs.items())
