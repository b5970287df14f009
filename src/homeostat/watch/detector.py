"""What a detector is: it takes the values of a stream one by one and says when they have risen. Pure, of constant size, and can be kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from homeostat.core.values import Json

Stream = Literal["errors", "losses"]


class Detector(Protocol):
    """Takes a value at a time; after an alarm it begins anew, with what it then needs to know of the new world."""

    def add(self, value: float) -> bool:
        """Take the next value; return whether the stream has risen. A fall is no alarm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorKind:
    """A plug-in. `takes`: `errors` are 0 and 1 (wrong), so only for classes; `losses` are any numbers."""

    name: str
    takes: Stream
    make: Callable[[], Detector]

    def restored(self, state: Json | None) -> Detector:
        """Return the detector that `kept` wrote, a new one for None."""
        return self.make() if state is None else msgspec.convert(state, type(self.make()))


def kept(detector: Detector) -> Json:
    """Return a detector's whole state as JSON-ready values."""
    state: Json = msgspec.to_builtins(detector)
    return state
