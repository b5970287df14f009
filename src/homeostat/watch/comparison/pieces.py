"""Where the pieces of a large table are profiled: here, or on a Ray cluster. Both give the same profile, up to the error of the sketches."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import NotFound, near
from homeostat.watch.profile import WindowProfile, profile_of

if TYPE_CHECKING:
    import pyarrow as pa

Run = Callable[[Iterator[pl.DataFrame], Mapping[str, Kind], WindowProfile], Iterator[WindowProfile]]


def place(name: str) -> Run:
    """Return what profiles pieces there, in their order; raise NotFound for a place that there is not."""
    if name not in _PLACES:
        raise NotFound(f"nothing to profile on is called '{name}'", hint=near(name, _PLACES))
    return _PLACES[name]


def _here(frames: Iterator[pl.DataFrame], kinds: Mapping[str, Kind], like: WindowProfile) -> Iterator[WindowProfile]:
    for frame in frames:
        yield profile_of(frame, kinds, like=like)


def _on_ray(frames: Iterator[pl.DataFrame], kinds: Mapping[str, Kind], like: WindowProfile) -> Iterator[WindowProfile]:
    """Send each piece to a task; a few for each processor are under way, so that memory stays bounded."""
    from homeostat.serve.batch.executors.ray import AHEAD, joined

    ray = joined()
    shared = ray.put((dict(kinds), like))
    task = ray.remote(max_retries=3)(_profiled)
    most = max(1, int(ray.cluster_resources().get("CPU", 1))) * AHEAD
    waiting: deque[Any] = deque()
    for frame in frames:
        if len(waiting) >= most:
            yield ray.get(waiting.popleft())
        waiting.append(task.remote(shared, frame.to_arrow()))
    while waiting:
        yield ray.get(waiting.popleft())


def _profiled(shared: tuple[dict[str, Kind], WindowProfile], piece: "pa.Table") -> WindowProfile:
    kinds, like = shared
    return profile_of(pl.DataFrame(pl.from_arrow(piece)), kinds, like=like)


_PLACES: Mapping[str, Run] = {"here": _here, "ray": _on_ray}
