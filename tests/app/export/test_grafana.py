"""The dashboard: every query is well formed and asks for metrics, with labels, that a scrape of ours has."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from homeostat.app.export.targets.grafana import dashboard, text
from homeostat.app.exporting import export
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.records.routes import Route
from homeostat.core.records.watching import Incident, WindowVerdict
from homeostat.serve.exposition import exposition
from homeostat.serve.metrics import ServeMetrics
from homeostat.watch.performance import Performance
from homeostat.watch.verdict import Drift, Verdict
from homeostat.web.metrics import render

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PROJECT = "model: m\ntask: binary\ndata: {source: a.csv, target: y}\nserve: {host: 0.0.0.0, port: 8800}\n"
_FUNCTIONS = {"sum", "rate", "histogram_quantile", "topk", "by", "on", "group_left"}
_TOKEN = re.compile(
    r"""(?P<name>[a-zA-Z_][a-zA-Z0-9_]*)|(?P<text>"[^"]*")|(?P<number>\d+(\.\d+)?)|(?P<range>\[\$__rate_interval\])|(?P<mark>=~|!=|==|[=(){},/>])|(?P<space>\s+)"""
)
_VERDICT = Verdict(
    state="warn",
    summary="drifts",
    causes=[],
    decayed=False,
    drifted=True,
    broken=False,
    labels_come=True,
    performance=Performance(metric="log_loss", state="measured", rows=9, labelled=9, maturity=1.0, value=0.4),
    columns=[Drift(column="x", method="psi", effect=0.3, p_value=None, warn=0.1, alarm=0.2, rows=9, state="alarm")],
)


def house_of(folder):
    (folder / "homeostat.yaml").write_text(PROJECT)
    house = open_house(load(folder / "homeostat.yaml"), writer_id="t", actor="ann")
    with house.store.write() as tx:
        route = Route(model="m", generation=0, champion=1, canary=2, canary_percent=5.0, shadow=3, split=None)
        tx.routes.put(route)
        tx.watch.add(
            WindowVerdict(
                model="m",
                window_start=datetime(2026, 1, 1, tzinfo=UTC),
                window_end=NOW,
                revision=0,
                computed=NOW,
                state="warn",
                body={"rows": 9, "verdict": msgspec.to_builtins(_VERDICT)},
            )
        )
        tx.incidents.put(
            Incident(
                incident_id="i",
                model="m",
                kind="drift",
                version=1,
                opened=NOW,
                updated=NOW,
                windows=2,
                severity=1.5,
                told_severity=1.5,
                because="moved",
            )
        )
    return house


@pytest.fixture
def scraped(tmp_path):
    """The samples that both ports tell: their label names and values, by name."""
    metrics = ServeMetrics()
    series = metrics.series("m", 1, "champion")
    series.evaluated("ok", 1, 1, 1, 0.1)
    series.answered(0.1, 0.1)
    metrics.requested("/", 200, 0.1)
    metrics.labelled("m", 1, unsampled=1)
    metrics.shadow_dropped("m")
    metrics.waiting = lambda: {("m", 1): 1}
    metrics.snapshot()
    house = house_of(tmp_path)
    told = exposition(metrics.counts) + render(house)
    house.store.close()
    found = {}
    for family in text_string_to_metric_families(told.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def tokens(expression):
    found, at = [], 0
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        assert match is not None, f"{expression[at:]!r} in {expression}"
        if match.lastgroup != "space":
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


def read(expression):
    """Return the metrics that PromQL names, with the labels that it asks of each; brackets must close."""
    found, open_brackets, names = {}, [], tokens(expression)
    metric, grouped = None, set()
    for at, (_, token) in enumerate(names):
        after = names[at + 1][1] if at + 1 < len(names) else ""
        if token in ("(", "{"):
            open_brackets.append((token, names[at - 1][1] if at else ""))
        elif token in (")", "}"):
            assert open_brackets.pop()[0] == {")": "(", "}": "{"}[token], expression
        elif re.fullmatch(r"homeostat_\w+", token):
            metric = token
            found.setdefault(metric, set())
        elif re.fullmatch(r"[a-z_]+", token):
            bracket, before = open_brackets[-1] if open_brackets else ("", "")
            if bracket == "{":
                assert after in ("=", "=~", "!="), expression
                assert names[at + 2][0] == "text", expression
                found[metric].add(token)
            elif before in ("by", "on"):
                grouped.add(token)
            else:
                assert token in _FUNCTIONS, f"{token} in {expression}"
    assert not open_brackets, expression
    assert found, expression
    return {name: labels | grouped for name, labels in found.items()}


def queries():
    return [
        pytest.param(target["expr"], target["legendFormat"], id=f"{panel['title']}-{target['refId']}")
        for panel in dashboard()["panels"]
        for target in panel.get("targets", [])
    ]


@pytest.mark.parametrize(("expression", "legend"), queries())
def test_every_query_asks_for_what_is_told(scraped, expression, legend):
    for metric, labels in read(expression).items():
        assert metric in scraped, metric
        assert all(labels <= known.keys() for known, _ in scraped[metric]), metric
    # a legend names labels that the query leaves
    wanted = set(re.findall(r"{{(\w+)}}", legend))
    assert wanted <= set(re.findall(r"\w+", expression)) | set().union(*(scraped[m][0][0] for m in read(expression)))


def test_the_queries_of_variables_ask_for_what_is_told(scraped):
    variables = {one["name"]: one for one in dashboard()["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    for name in ("model", "version", "route"):
        metric, _, label = re.fullmatch(
            r"label_values\((\w+)({.*})?, (\w+)\)", variables[name]["query"]["query"]
        ).groups()
        assert label in scraped[metric][0][0]


@pytest.mark.parametrize(
    "wrong", ["rate(homeostat_x[$__rate_interval]", "homeostat_x{a=~}1", "avg(homeostat_x)", "1 + 1"]
)
def test_the_reader_of_queries_notices_mistakes(wrong):
    with pytest.raises(AssertionError):
        read(wrong)


def test_the_file_has_what_grafana_needs():
    found = json.loads(text())
    assert {
        "uid",
        "title",
        "schemaVersion",
        "version",
        "time",
        "templating",
        "annotations",
        "panels",
        "tags",
    } <= found.keys()
    assert "id" not in found  # Grafana gives it
    ids = [panel["id"] for panel in found["panels"]]
    assert len(set(ids)) == len(ids)
    places = set()
    for panel in found["panels"]:
        assert panel["title"]
        at = panel["gridPos"]
        assert at.keys() == {"h", "w", "x", "y"}
        assert at["x"] + at["w"] <= 24
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & places, f"{panel['title']} lies on another panel"
        places |= cells
        if panel["type"] == "row":
            continue
        assert panel["type"] in {"timeseries", "stat", "state-timeline"}
        assert {"fieldConfig", "options", "datasource", "description"} <= panel.keys()
        for target in panel["targets"]:
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert {"refId", "expr", "legendFormat"} <= target.keys()


def test_the_copy_in_the_docs_is_the_dashboard():
    copy = Path(__file__).parents[3] / "docs/grafana/homeostat.json"
    assert copy.read_text() == text(), f"write it anew: homeostat export grafana, then copy it to {copy}"


def test_prometheus_is_told_both_ports(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    files, command = export(load(tmp_path / "homeostat.yaml"), "grafana", folder=None, image=None)
    assert {file.name for file in files} == {"homeostat.json", "prometheus.yaml"}
    jobs = yaml.safe_load((tmp_path / "deploy/grafana/prometheus.yaml").read_text())["scrape_configs"]
    assert [job["static_configs"][0]["targets"] for job in jobs] == [["localhost:8800"], ["localhost:8701"]]
    assert command == "prometheus --config.file=deploy/grafana/prometheus.yaml"


def test_the_loop_tells_versions_incidents_and_the_newest_verdict(scraped):
    def told(name, **labels):
        return next(value for known, value in scraped[f"homeostat_{name}"] if labels.items() <= known.items())

    assert {(k["version"], k["role"]) for k, _ in scraped["homeostat_routed_version"]} == {
        ("1", "champion"),
        ("2", "canary"),
        ("3", "shadow"),
    }
    assert told("drift_severity", column="x") == pytest.approx(1.5)
    assert told("performance", metric="log_loss") == 0.4
    assert told("open_incidents", kind="drift") == 1
    assert told("window_rows", model="m") == 9
    assert told("window_end_timestamp_seconds", model="m") == NOW.timestamp()
