"""Questions over which a model's process ended: each counts once against the model, and is asked no more once it is sure."""

import hashlib
import time
from collections.abc import Callable

KEPT_S = 600.0
_MOST = 1000
_SURE = 2  # once may be somebody else's doing: the kernel's, short of memory, or an operator's


class Culprits:
    """Remembers questions by a digest of their bytes, for ten minutes. `clock`: seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: dict[bytes, tuple[float, int]] = {}

    def note(self, question: bytes, *, times: int = 1) -> bool:
        """Note that the process ended over a question; return whether that is the first time."""
        digest, now = _digest(question), self._clock()
        self._noted = {one: (at, n) for one, (at, n) in self._noted.items() if now - at < KEPT_S}
        _, before = self._noted.pop(digest, (now, 0))
        if len(self._noted) >= _MOST:
            del self._noted[next(iter(self._noted))]
        self._noted[digest] = now, before + times
        return not before

    def forget(self, question: bytes) -> None:
        """Take back what was noted of a question: it was answered, so it was something else that ended the process."""
        self._noted.pop(_digest(question), None)

    @property
    def any(self) -> bool:
        return bool(self._noted)

    def knows(self, question: bytes) -> bool:
        """Return whether the question surely ends the process."""
        at, times = self._noted.get(_digest(question), (0.0, 0))
        return times >= _SURE and self._clock() - at < KEPT_S


def _digest(question: bytes) -> bytes:
    return hashlib.blake2b(question, digest_size=16).digest()
