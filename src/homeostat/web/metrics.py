"""The loop's state in Prometheus form. Requests and latencies are counted where they happen, at the inference workers' /metrics."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from homeostat.app.status import ModelStatus, status
from homeostat.app.wiring import House
from homeostat.core.records.cycles import CycleState
from homeostat.core.records.routes import Route
from homeostat.watch.stored import verdict_of

_STATES = ("new", "unknown", "ok", "warn", "alarm")
_CYCLES = 1000


class _Gauges:
    """All that is told, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.state = self._gauge("model_state", "1 for the state that a model is in", "model", "state")
        self.champion = self._gauge("champion_version", "The version that answers", "model")
        self.canary = self._gauge("canary_percent", "Share of keys that a canary answers", "model")
        self.routed = self._gauge(
            "routed_version", "1 for each version in traffic, and as what", "model", "version", "role"
        )
        self.cycles = self._gauge("cycles", f"The newest {_CYCLES} cycles by how they ended", "model", "state")
        self.held = self._gauge("quarantined_batches", "Batches that wait for a person", "model")
        self.incidents = self._gauge("open_incidents", "Incidents that are not over, by their cause", "model", "kind")
        self.window_end = self._gauge("window_end_timestamp_seconds", "End of the newest judged window", "model")
        self.window_rows = self._gauge("window_rows", "Recorded rows of the newest judged window", "model")
        self.performance = self._gauge("performance", "On labelled rows of the newest window", "model", "metric")
        self.severity = self._gauge(
            "drift_severity", "Distance from the reference, 1 at the alarm threshold", "model", "column"
        )
        self.workers = self._gauge("workers", "Inference processes that are up")

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        return Gauge(f"homeostat_{name}", about, labels, registry=self.registry)


def render(house: House) -> bytes:
    """Return the metrics page."""
    gauges = _Gauges()
    for found in status(house):
        for name in _STATES:
            gauges.state.labels(found.model, name).set(found.state == name)
        gauges.champion.labels(found.model).set(found.champion or 0)
        gauges.held.labels(found.model).set(found.quarantined)
        gauges.workers.set(found.workers)
        gauges.canary.labels(found.model).set(found.route.canary_percent if found.route else 0.0)
        for role, version in _roles(found.route):
            gauges.routed.labels(found.model, str(version), role).set(1)
        _tell_window(gauges, found)
        with house.store.read() as tx:
            recent = tx.cycles.recent(found.model, limit=_CYCLES)
            incidents = [each for each in tx.incidents.recent(found.model) if each.resolved is None]
        for ended in CycleState:
            gauges.cycles.labels(found.model, ended.value).set(sum(cycle.state is ended for cycle in recent))
        for incident in incidents:
            gauges.incidents.labels(found.model, incident.kind).inc()
    return generate_latest(gauges.registry)


def _tell_window(gauges: _Gauges, found: ModelStatus) -> None:
    if found.window is None:
        return
    verdict = verdict_of(found.window)
    gauges.window_end.labels(found.model).set(found.window.window_end.timestamp())
    gauges.window_rows.labels(found.model).set(found.window.body["rows"])
    performance = verdict.performance
    if performance is not None and performance.value is not None:
        gauges.performance.labels(found.model, performance.metric).set(performance.value)
    worst: dict[str, float] = {}
    for drift in (*verdict.columns, *verdict.predictions):
        if drift.alarm > 0.0:
            worst[drift.column] = max(worst.get(drift.column, 0.0), drift.effect / drift.alarm)
    for column, severity in worst.items():
        gauges.severity.labels(found.model, column).set(severity)


def _roles(route: Route | None) -> list[tuple[str, int]]:
    """Return who is in traffic as what; a version may be there twice."""
    if route is None:
        return []
    roles = [("champion", route.champion), ("canary", route.canary), ("shadow", route.shadow)]
    roles += [("segment", segment.version) for segment in route.segments]
    roles += [("split", version) for version in (route.split.shares if route.split is not None else ())]
    return [(role, version) for role, version in roles if version is not None]
