"""A Grafana dashboard of serving and of the loop, and what Prometheus needs to fetch the numbers for it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import yaml

from homeostat.app.export.target import Asked, Target

Json = dict[str, Any]

DASHBOARD, SCRAPING = "homeostat.json", "prometheus.yaml"
_SOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
_WHO = 'model=~"$model",version=~"$version",route=~"$route"'
_MODEL = 'model=~"$model"'
_COLUMNS = 24
_HEIGHT = 8
_QUANTILES = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """`queries`: PromQL with the legend of its lines. `unit` is Grafana's name of it."""

    title: str
    queries: Sequence[tuple[str, str]]
    about: str
    unit: str = "short"
    width: int = 8
    kind: str = "timeseries"


def _rate(metric: str, by: str, where: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def _quantiles(metric: str) -> list[tuple[str, str]]:
    by = "le, model, version, route"
    return [
        (f"histogram_quantile({q}, {_rate(f'{metric}_bucket', by, _WHO)})", f"{name} {{{{version}}}} {{{{route}}}}")
        for q, name in _QUANTILES
    ]


_BY = "model, version, route"
_NAMED = "{{model}} {{version}} {{route}}"
_ROWS: dict[str, list[_Panel]] = {
    "Requests": [
        _Panel(
            title="Requests",
            queries=[(_rate("homeostat_evaluations_total", _BY, _WHO), _NAMED)],
            about="Requests that each version was asked, shadows too",
            unit="reqps",
        ),
        _Panel(
            title="Errors",
            queries=[
                (
                    _rate("homeostat_evaluations_total", f"{_BY}, status", f'{_WHO},status!="ok"')
                    + f" / on ({_BY}) group_left "
                    + _rate("homeostat_evaluations_total", _BY, _WHO),
                    f"{_NAMED} {{{{status}}}}",
                )
            ],
            about="Share of a version's requests that got no answer from it, by why",
            unit="percentunit",
        ),
        _Panel(
            title="Answers by status",
            queries=[(_rate("homeostat_requests_total", "status", ""), "{{status}}")],
            about="Everything that came in at the inference port, also what was refused",
            unit="reqps",
        ),
    ],
    "Latency": [
        _Panel(
            title="Latency",
            queries=_quantiles("homeostat_answer_seconds"),
            about="From the checked request to its recorded answer",
            unit="s",
            width=12,
        ),
        _Panel(
            title="Time in the model",
            queries=_quantiles("homeostat_evaluation_seconds"),
            about="Of the batch that a request was in",
            unit="s",
            width=12,
        ),
    ],
    "Queue and batches": [
        _Panel(
            title="Waiting for the model",
            queries=_quantiles("homeostat_queue_seconds"),
            about="How long requests waited",
            unit="s",
        ),
        _Panel(
            title="Queue",
            queries=[
                (
                    f'sum by (model, version) (homeostat_queue_requests{{{_MODEL},version=~"$version"}})',
                    "{{model}} {{version}}",
                )
            ],
            about="Requests that wait now; serve.queue is the most",
        ),
        _Panel(
            title="Batch size",
            queries=[
                (
                    f"{_rate('homeostat_batch_rows_sum', _BY, _WHO)} / {_rate('homeostat_batch_rows_count', _BY, _WHO)}",
                    _NAMED,
                )
            ],
            about="Mean rows of the batch that a request was evaluated in",
        ),
    ],
    "Versions": [
        _Panel(
            title="Champion",
            queries=[(f"homeostat_champion_version{{{_MODEL}}}", "{{model}}")],
            about="The version that answers",
            kind="stat",
            width=4,
        ),
        _Panel(
            title="Routed versions",
            queries=[(f"homeostat_routed_version{{{_MODEL}}} == 1", "{{model}} {{version}} {{role}}")],
            about="Which versions are in traffic, and as what",
            kind="state-timeline",
            width=12,
        ),
        _Panel(
            title="Share of traffic",
            queries=[
                (
                    _rate("homeostat_rows_total", "model, version", f'{_MODEL},route!="shadow"')
                    + " / on (model) group_left "
                    + _rate("homeostat_rows_total", "model", f'{_MODEL},route!="shadow"'),
                    "{{model}} {{version}}",
                )
            ],
            about="Of the rows that were answered",
            unit="percentunit",
        ),
    ],
    "Model health": [
        _Panel(
            title="Verdicts",
            queries=[(f"homeostat_model_state{{{_MODEL}}} == 1", "{{model}} {{state}}")],
            about="What the newest window says: ok, warn, alarm; new or unknown before there is one",
            kind="state-timeline",
        ),
        _Panel(
            title="Drift",
            queries=[(f"topk(10, homeostat_drift_severity{{{_MODEL}}})", "{{model}} {{column}}")],
            about="How far columns have moved from the reference: 1 is the alarm threshold",
        ),
        _Panel(
            title="Performance",
            queries=[(f"homeostat_performance{{{_MODEL}}}", "{{model}} {{metric}}")],
            about="On the labelled rows of the newest window",
        ),
        _Panel(
            title="Open incidents",
            queries=[(f"homeostat_open_incidents{{{_MODEL}}}", "{{model}} {{kind}}")],
            about="Windows that alarm for one cause, as one story: `homeostat incidents`",
        ),
        _Panel(
            title="Labels",
            queries=[
                (_rate("homeostat_labels_total", "model", _MODEL), "{{model}}"),
                (_rate("homeostat_labels_unsampled_total", "model", _MODEL), "{{model}} left out"),
            ],
            about="Labels that come in",
            unit="cps",
        ),
        _Panel(
            title="Cycles",
            queries=[(f"homeostat_cycles{{{_MODEL}}} > 0", "{{model}} {{state}}")],
            about="Retraining cycles by how they ended, of the newest 1000",
        ),
    ],
    "Processes": [
        _Panel(
            title="Workers",
            queries=[("homeostat_serving_workers", "counted"), ("homeostat_workers", "alive")],
            about="Inference processes",
            kind="stat",
        ),
        _Panel(
            title="Shadows left out",
            queries=[(_rate("homeostat_shadows_dropped_total", "model", _MODEL), "{{model}}")],
            about="Evaluations beside the answer that load did not leave room for",
            unit="cps",
        ),
        _Panel(
            title="Quarantine",
            queries=[(f"homeostat_quarantined_batches{{{_MODEL}}}", "{{model}}")],
            about="Batches of data that wait for a person",
        ),
    ],
}


def dashboard() -> Json:
    """Return the dashboard, as Grafana 10 and later import it; it asks for nothing but a Prometheus data source."""
    return {
        "uid": "homeostat",
        "title": "Homeostat",
        "description": "Serving and model health of Homeostat",
        "tags": ["homeostat", "machine-learning"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "",
        "annotations": {"list": []},
        "templating": {"list": list(_variables())},
        "panels": list(_panels()),
    }


def _variables() -> Iterator[Json]:
    yield {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source", "hide": 0}
    for name, query in (
        ("model", "label_values(homeostat_evaluations_total, model)"),
        ("version", 'label_values(homeostat_evaluations_total{model=~"$model"}, version)'),
        ("route", "label_values(homeostat_evaluations_total, route)"),
    ):
        yield {
            "name": name,
            "type": "query",
            "label": name.capitalize(),
            "datasource": _SOURCE,
            "query": {"query": query, "refId": name},
            "definition": query,
            "refresh": 2,
            "sort": 3 if name == "version" else 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }


def _panels() -> Iterator[Json]:
    numbers, y = count(1), 0
    for title, panels in _ROWS.items():
        yield {
            "id": next(numbers),
            "type": "row",
            "title": title,
            "collapsed": False,
            "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
            "panels": [],
        }
        x, y = 0, y + 1
        for panel in panels:
            if x + panel.width > _COLUMNS:
                x, y = 0, y + _HEIGHT
            yield _panel(panel, next(numbers), x=x, y=y)
            x += panel.width
        y += _HEIGHT


def _panel(panel: _Panel, number: int, *, x: int, y: int) -> Json:
    targets = [
        {
            "refId": chr(ord("A") + at),
            "datasource": _SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "range": True,
            "instant": False,
            "editorMode": "code",
        }
        for at, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.about,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "options": {},
        "targets": targets,
    }


def files(asked: Asked) -> dict[str, str]:
    serve = asked.place.project.serve
    host = "localhost" if serve.host in ("0.0.0.0", "::") else serve.host  # noqa: S104 - recognised, not bound
    at = f"[{host}]" if ":" in host else host
    jobs = [
        {"job_name": f"homeostat-{name}", "static_configs": [{"targets": [f"{at}:{port}"]}]}
        for name, port in (("serving", serve.port), ("loop", serve.control_port))
    ]
    return {DASHBOARD: text(), SCRAPING: yaml.safe_dump({"scrape_configs": jobs}, sort_keys=False)}


def text() -> str:
    """Return the dashboard's file."""
    return json.dumps(dashboard(), indent=1) + "\n"


TARGET = Target(
    name="grafana",
    summary="a Grafana dashboard, and what Prometheus scrapes for it",
    files=files,
    next_step=lambda asked: f"prometheus --config.file={asked.folder}/{SCRAPING}",
)
