"""Counts in Prometheus' text format. Pure."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from homeostat.serve.counts import ROWS, SECONDS, Counts

_WHICH = ("model", "version", "route")
_HISTOGRAMS = {
    "evaluation": ("homeostat_evaluation_seconds", "Time in the model of the batch that a request was in", SECONDS),
    "answer": ("homeostat_answer_seconds", "Time from a checked request to its recorded answer", SECONDS),
    "queue": ("homeostat_queue_seconds", "Time that a request waited for the model", SECONDS),
    "batch_rows": ("homeostat_batch_rows", "Rows of the batch that a request was evaluated in", ROWS),
}


def exposition(counts: Counts) -> bytes:
    """Return everything as text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(counts))
    return generate_latest(registry)


class _Families:
    def __init__(self, counts: Counts) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        counts = self._counts
        yield from _of_versions(counts)
        requests = CounterMetricFamily("homeostat_requests", "HTTP and gRPC requests", labels=["path", "status"])
        whole = HistogramMetricFamily(
            "homeostat_request_seconds", "Time from a whole request to its answer", labels=["path"]
        )
        for path, endpoint in sorted(counts.endpoints.items()):
            for code, count in sorted(endpoint.by_status.items()):
                requests.add_metric([path, str(code)], count)
            whole.add_metric([path], endpoint.seconds.buckets(SECONDS), endpoint.seconds.total)
        yield from (requests, whole)
        for name, help_text, by_model in (
            ("homeostat_labels", "Labels taken in", counts.labels),
            ("homeostat_labels_unsampled", "Labels left out, of requests that are not recorded", counts.unsampled),
            ("homeostat_shadows_dropped", "Evaluations left out beside the answer under load", counts.shadows_dropped),
        ):
            family = CounterMetricFamily(name, help_text, labels=["model"])
            for model, count in sorted(by_model.items()):
                family.add_metric([model], count)
            yield family
        waiting = GaugeMetricFamily(
            "homeostat_queue_requests", "Requests that wait for a version now", labels=["model", "version"]
        )
        for (model, version), count in sorted(counts.waiting.items()):
            waiting.add_metric([model, str(version)], count)
        yield waiting
        yield GaugeMetricFamily("homeostat_serving_workers", "Inference processes in this sum", value=counts.workers)


def _of_versions(counts: Counts) -> Iterable[Metric]:
    evaluations = CounterMetricFamily(
        "homeostat_evaluations",
        "Requests that a version was asked, by how that ended: ok, error, overloaded, deadline_exceeded",
        labels=[*_WHICH, "status"],
    )
    rows = CounterMetricFamily("homeostat_rows", "Rows that a version evaluated", labels=_WHICH)
    histograms = {name: HistogramMetricFamily(*told[:2], labels=_WHICH) for name, told in _HISTOGRAMS.items()}
    for (model, version, route), series in sorted(counts.series.items()):
        names = [model, str(version), route]
        for status, count in sorted(series.by_status.items()):
            evaluations.add_metric([*names, status], count)
        rows.add_metric(names, series.rows)
        for name, family in histograms.items():
            histogram = getattr(series, name)
            family.add_metric(names, histogram.buckets(_HISTOGRAMS[name][2]), histogram.total)
    return [evaluations, rows, *histograms.values()]
