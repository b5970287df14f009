"""A few of many points, for charts. Pure."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(found: Sequence[T], most: int) -> list[T]:
    """Return at most `most` of the items, in their order and evenly apart, the first and the last among them; of 1, the last.

    >>> evenly(range(10), 4), evenly(range(10), 1), evenly(range(3), 5)
    ([0, 3, 6, 9], [9], [0, 1, 2])
    """
    if len(found) <= most:
        return list(found)
    if most == 1:
        return [found[-1]]
    return [found[index * (len(found) - 1) // (most - 1)] for index in range(most)]
