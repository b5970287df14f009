"""The loop's state in Prometheus form. Requests and latencies are counted where they happen, at the inference workers' /metrics."""

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from homeostat.app.status import status
from homeostat.app.wiring import House
from homeostat.core.records import CycleState

_STATES = ("new", "unknown", "ok", "warn", "alarm")


def render(house: House) -> bytes:
    """Return the metrics page."""
    registry = CollectorRegistry()
    state = Gauge("homeostat_model_state", "1 for the state that a model is in", ["model", "state"], registry=registry)
    champion = Gauge("homeostat_champion_version", "The version that answers", ["model"], registry=registry)
    canary = Gauge("homeostat_canary_percent", "Share of keys that a canary answers", ["model"], registry=registry)
    cycles = Gauge("homeostat_cycles", "Cycles by how they ended", ["model", "state"], registry=registry)
    held = Gauge("homeostat_quarantined_batches", "Batches that wait for a person", ["model"], registry=registry)
    workers = Gauge("homeostat_workers", "Inference processes that are up", registry=registry)
    for found in status(house):
        for name in _STATES:
            state.labels(found.model, name).set(found.state == name)
        champion.labels(found.model).set(found.champion or 0)
        canary.labels(found.model).set(found.route.canary_percent if found.route else 0.0)
        held.labels(found.model).set(found.quarantined)
        workers.set(found.workers)
        with house.store.read() as tx:
            recent = tx.cycles.recent(found.model, limit=1000)
        for ended in CycleState:
            cycles.labels(found.model, ended.value).set(sum(cycle.state is ended for cycle in recent))
    return generate_latest(registry)
