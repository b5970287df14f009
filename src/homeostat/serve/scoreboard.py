"""Counts of all processes that share a folder: whichever of them is asked tells the sum.

    <folder>/NN.lock     held by the process that has place NN, as long as it lives
    <folder>/NN.counts   its counts, written anew every second, and before it tells a sum

Who takes a place goes on with the counts that it finds there. So each file only ever grows, and with it the sum, whoever tells it; a process
that is killed takes at most the last second with it.
"""

import fcntl
import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from homeostat.core.errors import Unreachable
from homeostat.serve.counts import Counts, Snapshot, counts_of, total

log = logging.getLogger(__name__)
_PLACES = 1024


class Scoreboard:
    """One process's place in the folder. `counts` is what it goes on with. Thread-safe but for `close`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        self._guard = threading.Lock()
        self._written = 0
        self._content = b""
        self._place, self._lock = self._take()
        found = _read(self._place)
        self.counts = Counts() if found is None else found.at_rest().pruned()

    def write(self, snapshot: Snapshot) -> None:
        """Write the counts. A snapshot that was taken before the one that is written already is left, and so is one that says the same."""
        number, content = snapshot
        with self._guard:
            if number <= self._written or content == self._content:
                return
            draft = self._place.with_suffix(".new")
            try:
                draft.write_bytes(content)
                draft.replace(self._place)
            except OSError as error:
                log.warning("metrics.not_written", extra={"place": str(self._place), "why": str(error)})
                return
            self._written, self._content = number, content

    def total(self) -> Counts:
        """Return the sum over everything that was ever counted in this folder; what waits, of living processes only."""
        return total(self._all())

    def close(self) -> None:
        """Leave the place to whoever comes."""
        os.close(self._lock)

    def _all(self) -> Iterator[Counts]:
        for path in sorted(self._folder.glob("*.counts")):
            found = _read(path)
            if found is None:
                continue
            is_alive = path == self._place or not _is_free(path.with_suffix(".lock"))
            yield found if is_alive else found.at_rest()

    def _take(self) -> tuple[Path, int]:
        for number in range(_PLACES):
            place = self._folder / f"{number:02d}.counts"
            lock = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return place, lock
        raise Unreachable(f"no place for the metrics of this process in {self._folder}", hint="remove the folder")


def _read(path: Path) -> Counts | None:
    """Return the counts of a file; None where it is not there or is not ours."""
    try:
        return counts_of(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        log.warning("metrics.not_read", extra={"place": str(path), "why": str(error)})
        return None


def _is_free(path: Path) -> bool:
    """Return whether nobody lives who has the lock. Looking takes it for a moment: who comes then takes the next place."""
    try:
        lock = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
