"""What may wait gives way to who answers requests, where both want the same core."""

import os
import threading

LOOP = 5  # looks, training: a quarter of a core that somebody else fills
_MOVING = ((512 << 20, 19), (2 << 30, 10))  # bytes below which moving the record gives way so far


def of_moving(waiting_bytes: int) -> int:
    """Return the niceness of moving so much of the record: the more waits, the less it gives way, so that it does not grow for ever where all cores are full.

    >>> of_moving(10_000_000), of_moving(1_000_000_000), of_moving(5_000_000_000)
    (19, 10, 5)
    """
    return next((niceness for most, niceness in _MOVING if waiting_bytes < most), LOOP)


def give_way(niceness: int) -> None:
    """Lower the priority of the calling thread, and of all that it starts from now on, to a niceness; never raise it (Linux: setpriority(2), a thread each)."""
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))
