"""What serving counts, for Prometheus. Each worker process counts for itself."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class ServeMetrics:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        which = ["model", "version", "route"]
        self.evaluations = Counter(
            "homeostat_evaluations", "Batches that a version evaluated", [*which, "status"], registry=self.registry
        )
        self.rows = Counter("homeostat_rows", "Rows that a version evaluated", which, registry=self.registry)
        self.seconds = Histogram(
            "homeostat_evaluation_seconds", "Time in the model", which, buckets=_SECONDS, registry=self.registry
        )
        self.requests = Counter("homeostat_requests", "HTTP requests", ["path", "status"], registry=self.registry)
        self.labels = Counter("homeostat_labels", "Labels taken in", ["model"], registry=self.registry)
        self.shadows_dropped = Counter(
            "homeostat_shadows_dropped",
            "Evaluations beside the answer left out under load",
            ["model"],
            registry=self.registry,
        )

    def evaluated(self, model: str, version: int, route: str, *, status: str, rows: int, seconds: float) -> None:
        which = (model, str(version), route)
        self.evaluations.labels(*which, status).inc()
        self.rows.labels(*which).inc(rows)
        self.seconds.labels(*which).observe(seconds)

    def text(self) -> bytes:
        """Return everything in Prometheus' text format."""
        return generate_latest(self.registry)
