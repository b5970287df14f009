import io
import json
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from homeostat.gate import report as reports
from homeostat.gate.check import Result
from homeostat.gate.settings import Bound, GateSettings, SliceRule
from homeostat.gate.stats import Interval
from homeostat.gate.suite import SuiteReport, run_suite

HOSTILE = '<script>alert("x")</script>|[red]\n# y\x1b[31m'


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


@pytest.fixture
def hostile(world, scores):
    w = world()
    region = w.frame["region"].to_list()
    w.frame = w.frame.with_columns(region=pl.Series([HOSTILE if r == "west" else r for r in region]))
    p = np.where((w.frame["region"] == HOSTILE).to_numpy(), 1 - w.p, w.p)
    settings = GateSettings(metrics={"roc_auc": Bound(min=0.9)}, slices=SliceRule(columns=["region"]))
    return run_suite(w.binary(scores(p), champion=scores(w.p)), settings, about={"model": HOSTILE})


def test_html_escapes_what_comes_from_the_data_and_loads_nothing(hostile):
    page = Page(reports.as_html(hostile))
    names = {tag for tag, _ in page.tags}
    assert "script" not in names
    assert not names & {"link", "img", "iframe", "object"}
    assert not [attrs for _, attrs in page.tags if {"src", "href", "onload", "onclick"} & attrs.keys()]
    assert '<script>alert("x")</script>' in page.text  # as text, where the segment is named
    assert "\x1b" not in reports.as_html(hostile)


def test_html_shows_state_value_limit_interval_and_reason(hostile):
    text = Page(reports.as_html(hostile)).text
    for words in ("Gate failed", "✗ FAIL", "✓ pass", "– n/a", "≥ 0.9", "worst segment", "dashed: the limit"):
        assert words in text


def test_html_draws_an_interval_without_width():
    flat = Interval(estimate=0.0, low=0.0, high=0.0, confidence=0.95, error=0.0)
    result = Result(check="x", passed=True, reason="", value=0.0, limit=0.0, interval=flat)
    assert "<svg" in reports.as_html(SuiteReport(results=(result,)))


def test_markdown_keeps_one_row_per_result_whatever_the_names(hostile):
    text = reports.as_markdown(hostile)
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(hostile.results)
    for line in table[2:]:
        assert line.replace("\\|", "").count("|") == 7
    assert "<script>" not in text
    assert text.startswith("## Gate failed: ")


def test_table_shows_markup_of_the_data_as_text(hostile):
    out = io.StringIO()
    Console(file=out, width=400, force_terminal=False).print(reports.as_table(hostile))
    assert "[red]" in out.getvalue()
    assert "✗ FAIL" in out.getvalue()


def test_json_is_the_report(hostile):
    assert json.loads(reports.as_json(hostile)) == json.loads(json.dumps(hostile.to_json()))


def test_stored_report_is_shown_as_the_fresh_one_was(hostile):
    again = SuiteReport.from_json(json.loads(reports.as_json(hostile)))
    assert reports.as_html(again) == reports.as_html(hostile)
    assert reports.as_markdown(again) == reports.as_markdown(hostile)


def test_headline_says_what_failed(hostile):
    assert reports.headline(hostile).endswith("failed: baseline, beats_champion, metric_bounds, slices")
