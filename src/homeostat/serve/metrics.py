"""What serving counts, for Prometheus. Each worker process counts for itself.

Counting is adding to plain numbers; Prometheus' objects are made of them when somebody asks. That keeps it below a microsecond a request.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


@dataclass(slots=True)
class _Histogram:
    bounds: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float, *, times: int = 1) -> None:
        self.counts[bisect_left(self.bounds, value)] += times
        self.total += value * times

    def buckets(self) -> list[tuple[str, float]]:
        """Return cumulative counts, as Prometheus wants them."""
        found, so_far = [], 0
        for bound, count in zip((*map(str, map(float, self.bounds)), "+Inf"), self.counts, strict=True):
            so_far += count
            found.append((bound, float(so_far)))
        return found


@dataclass(slots=True)
class _Route:
    """What one version did in one role."""

    rows: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    seconds: _Histogram = field(default_factory=lambda: _Histogram(_SECONDS))


class ServeMetrics:
    """Counters of one process, in a registry of their own. To be used by one thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(self)
        self.waiting: Callable[[], Mapping[tuple[str, int], int]] = dict
        self._routes: dict[tuple[str, int, str], _Route] = {}
        self._requests: dict[tuple[str, int], int] = {}
        self._request_seconds: dict[str, _Histogram] = {}
        self._labels: dict[str, int] = {}
        self._unsampled: dict[str, int] = {}
        self._dropped: dict[str, int] = {}

    def evaluated(self, model: str, version: int, route: str, *, status: str, rows: int, seconds: float) -> None:
        found = self._routes.get((model, version, route))
        if found is None:
            found = self._routes[model, version, route] = _Route()
        found.rows += rows
        found.by_status[status] = found.by_status.get(status, 0) + 1
        found.seconds.add(seconds)

    def evaluated_together(
        self, model: str, version: int, route: str, *, requests: int, rows: int, seconds: float
    ) -> None:
        """Count requests that were answered in one batch."""
        self.evaluated(model, version, route, status="ok", rows=rows, seconds=seconds)
        if requests > 1:
            found = self._routes[model, version, route]
            found.by_status["ok"] += requests - 1
            found.seconds.add(seconds, times=requests - 1)

    def requested(self, path: str, status: int, seconds: float) -> None:
        """Count an answer. `path` is the pattern, not what a client wrote."""
        key = (path, status)
        self._requests[key] = self._requests.get(key, 0) + 1
        found = self._request_seconds.get(path)
        if found is None:
            found = self._request_seconds[path] = _Histogram(_SECONDS)
        found.add(seconds)

    def labelled(self, model: str, count: int, *, unsampled: int = 0) -> None:
        """Count labels taken in, and those of requests that are not recorded, which were not."""
        self._labels[model] = self._labels.get(model, 0) + count
        if unsampled:
            self._unsampled[model] = self._unsampled.get(model, 0) + unsampled

    def shadow_dropped(self, model: str) -> None:
        self._dropped[model] = self._dropped.get(model, 0) + 1

    def collect(self) -> Iterable[Metric]:
        """Yield everything as Prometheus' families."""
        which = ["model", "version", "route"]
        evaluations = CounterMetricFamily(
            "homeostat_evaluations", "Requests that a version evaluated", labels=[*which, "status"]
        )
        rows = CounterMetricFamily("homeostat_rows", "Rows that a version evaluated", labels=which)
        seconds = HistogramMetricFamily("homeostat_evaluation_seconds", "Time in the model, of the batch", labels=which)
        for (model, version, route), found in self._routes.items():
            names = [model, str(version), route]
            for status, count in found.by_status.items():
                evaluations.add_metric([*names, status], count)
            rows.add_metric(names, found.rows)
            seconds.add_metric(names, found.seconds.buckets(), found.seconds.total)
        requests = CounterMetricFamily("homeostat_requests", "HTTP requests", labels=["path", "status"])
        for (path, code), count in self._requests.items():
            requests.add_metric([path, str(code)], count)
        whole = HistogramMetricFamily(
            "homeostat_request_seconds", "Time from a whole request to its answer", labels=["path"]
        )
        for path, histogram in self._request_seconds.items():
            whole.add_metric([path], histogram.buckets(), histogram.total)
        labels = CounterMetricFamily("homeostat_labels", "Labels taken in", labels=["model"])
        for model, count in self._labels.items():
            labels.add_metric([model], count)
        unsampled = CounterMetricFamily(
            "homeostat_labels_unsampled", "Labels left out, of requests that are not recorded", labels=["model"]
        )
        for model, count in self._unsampled.items():
            unsampled.add_metric([model], count)
        dropped = CounterMetricFamily(
            "homeostat_shadows_dropped", "Evaluations beside the answer left out under load", labels=["model"]
        )
        for model, count in self._dropped.items():
            dropped.add_metric([model], count)
        waiting = GaugeMetricFamily(
            "homeostat_waiting", "Requests that wait for a version", labels=["model", "version"]
        )
        for (model, version), count in self.waiting().items():
            waiting.add_metric([model, str(version)], count)
        return [evaluations, rows, seconds, requests, whole, labels, unsampled, dropped, waiting]

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
