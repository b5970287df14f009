"""A few of many points, for charts. Pure."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def evenly(found: Iterable[T], count: int, most: int) -> Iterator[T]:
    """Yield at most `most` of `count` items, in their order and evenly apart, the first and the last among them; of 1, the last.

    >>> [list(evenly(range(10), 10, 4)), list(evenly(range(10), 10, 1)), list(evenly(range(3), 3, 5))]
    [[0, 3, 6, 9], [9], [0, 1, 2]]
    """
    if count <= most:
        yield from found
        return
    places = {count - 1} if most == 1 else {index * (count - 1) // (most - 1) for index in range(most)}
    yield from (one for place, one in enumerate(found) if place in places)
