"""Counting while serving: adding to plain numbers, well below a microsecond a request. Prometheus' objects are made when somebody asks."""

from collections.abc import Callable, Mapping

import msgspec

from homeostat.serve.counts import Counts, Endpoint, Series, Snapshot

_encode = msgspec.msgpack.Encoder().encode


class ServeMetrics:
    """Counts of one process, which go on from `counts`. To be used by one thread. `waiting`: requests that wait now, by model and version."""

    def __init__(self, counts: Counts | None = None) -> None:
        self.counts = counts or Counts()
        self.waiting: Callable[[], Mapping[tuple[str, int], int]] = dict
        self._snapshots = 0

    def series(self, model: str, version: int, route: str) -> Series:
        """Return where to count what a version does in a role."""
        found = self.counts.series.get((model, version, route))
        if found is None:
            found = self.counts.series[model, version, route] = Series()
        return found

    def endpoint(self, path: str) -> Endpoint:
        found = self.counts.endpoints.get(path)
        if found is None:
            found = self.counts.endpoints[path] = Endpoint()
        return found

    def requested(self, path: str, status: int, seconds: float) -> None:
        """Count an answer. `path` is the pattern, not what a client wrote."""
        self.endpoint(path).answered(status, seconds)

    def labelled(self, model: str, count: int, *, unsampled: int = 0) -> None:
        """Count labels taken in, and those of requests that are not recorded, which were not."""
        counts = self.counts
        counts.labels[model] = counts.labels.get(model, 0) + count
        if unsampled:
            counts.unsampled[model] = counts.unsampled.get(model, 0) + unsampled

    def shadow_dropped(self, model: str) -> None:
        self.counts.shadows_dropped[model] = self.counts.shadows_dropped.get(model, 0) + 1

    def snapshot(self) -> Snapshot:
        """Return the counts as they are now, to be written down or told by another thread."""
        self._snapshots += 1
        self.counts.waiting = {key: count for key, count in self.waiting().items() if count}
        self.counts.workers = 1
        return self._snapshots, _encode(self.counts)
