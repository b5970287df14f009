import io
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace
from rich.console import Console
from tests.retrain.worlds import folder_with_rules, moving_world, project

from homeostat.core.duration import Duration
from homeostat.retrain.backtest import backtest, policies_of
from homeostat.retrain.backtest_result import Detection
from homeostat.retrain.report import as_html, as_table, as_text, sentences
from homeostat.retrain.report_chart import NARROW, WIDTH, chart, nice_ticks

HOSTILE = "<script>alert('1')</script>[red]&\"'"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    root = folder_with_rules(tmp_path_factory.mktemp("project"))
    policies = policies_of(project(), ("never", "always", "policy"))
    return backtest(moving_world(), project=project(), policies=policies, history=Duration(days=16), root=root)


def with_steps(result, change):
    policies = [replace(one, steps=[change(step) for step in one.steps]) for one in result.policies]
    return replace(result, policies=policies)


def printed(table, *, width: int) -> str:
    out = io.StringIO()
    Console(width=width, file=out).print(table)
    return out.getvalue()


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def tags(page: str) -> list[tuple[str, dict]]:
    parser = Tags()
    parser.feed(page)
    return parser.found


def test_the_page_needs_nothing_else_and_runs_nothing(result):
    page = as_html(result)
    assert not re.search(r"https?://|<script|<link|<img|<iframe|url\(|@import", page)
    for tag, attributes in tags(page):
        assert not any(name.startswith("on") or name in ("src", "href", "style") for name in attributes), tag
    assert "default-src 'none'" in page


def test_every_word_from_the_data_is_escaped(result):
    hostile = with_steps(
        result, lambda step: replace(step, summary=HOSTILE, turn=replace(step.turn, action="rejected", because=HOSTILE))
    )
    hostile = replace(
        hostile, target=HOSTILE, notes=[HOSTILE], policies=[replace(p, policy=HOSTILE) for p in hostile.policies]
    )
    page = as_html(hostile)
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert {tag for tag, _ in tags(page)} == {tag for tag, _ in tags(as_html(result))}
    assert "[red]" in printed(as_table(hostile), width=200)


@pytest.mark.parametrize("width", [WIDTH, NARROW])
def test_the_drawing_is_sound_and_has_a_mark_for_each_thing_that_happened(result, width):
    drawing = ET.fromstring(chart(result, "log_loss", width=width))
    lines = [one for one in drawing.iter("path") if one.get("class").startswith("line")]
    assert len(lines) == 3
    assert all(len(re.findall("[ML]", one.get("d"))) == 22 for one in lines)
    alerts = [one for one in drawing.iter("path") if one.get("class") == "alert"]
    assert len(alerts) == sum(one.alerts for one in result.policies)
    circles = [one.get("class") for one in drawing.iter("circle")]
    assert sum(name.startswith("done") for name in circles) == sum(one.retrainings for one in result.policies)
    inside = [float(n) for one in lines for n in re.findall(r"[-\d.]+", one.get("d"))]
    assert all(0 <= n <= width for n in inside)
    words = [one for one in drawing.iter("text") if one.get("text-anchor") == "middle"]
    assert 2 <= len(words) <= width / 80


def test_a_step_without_an_answer_breaks_the_line(result):
    broken = with_steps(result, lambda step: replace(step, metrics={}) if step.index == 5 else step)
    drawing = ET.fromstring(chart(broken, "log_loss"))
    line = next(one for one in drawing.iter("path") if one.get("class").startswith("line"))
    assert line.get("d").count("M") == 2
    assert chart(with_steps(result, lambda step: replace(step, metrics={})), "log_loss") == ""


def test_the_page_shows_what_is_recommended_and_when_the_world_is_known_to_have_changed(result):
    page = as_html(result)
    assert page.count("recommended</span>") == 1
    assert f'<div class="advice"><p>Take {result.recommendation.policy}: ' in page
    assert 'class="change"' not in page
    known = Detection(row=1500, at="2024-01-31T00:00:00+00:00", found=None)
    outside = Detection(row=1, at="2023-01-01T00:00:00+00:00")
    changed = [replace(one, detections=[known, outside], false_alarms=0) for one in result.policies]
    page = as_html(replace(result, policies=changed, recommendation=None))
    assert page.count('<line class="change"') == 6  # one in each chart, which is there for screens and for phones
    assert "dotted line: a known change" in page
    assert "recommended</span>" not in page
    assert "never found 0 of 2 known changes" in page


def test_the_sentences_say_what_the_numbers_say(result):
    policy, never = result.policy("policy"), result.policy("never")
    said = " ".join(sentences(result))
    assert f"policy: log loss {policy.metrics['log_loss']:.4g} over 2,200 rows" in said
    gain = never.metrics["log_loss"] - policy.metrics["log_loss"]
    assert f"policy was {gain:.3g} better" in said
    assert "with 22 retrainings" in said


def test_a_policy_that_was_worse_is_called_worse(result):
    worse = [replace(p, metrics=p.metrics | {"log_loss": 9.0}) if p.policy == "policy" else p for p in result.policies]
    said = " ".join(sentences(replace(result, policies=worse)))
    assert "worse" in said
    assert "of what that gains" not in said


def test_rows_that_nobody_answered_are_told(result):
    fewer = [replace(p, answered=2000) if p.policy == "policy" else p for p in result.policies]
    assert "200 of 2,200 rows had no champion" in " ".join(sentences(replace(result, policies=fewer)))
    nothing = [
        replace(p, answered=0, metrics={}, steps=[replace(s, metrics={}) for s in p.steps]) for p in result.policies
    ]
    silent = replace(result, policies=nothing)
    assert "no row was answered" in " ".join(sentences(silent))
    assert "<svg class" in as_html(silent)  # the legend stands, no curve does


def test_the_terminal_shows_each_policy_in_eighty_columns(result):
    text = printed(as_table(result), width=80)
    assert "…" not in text
    for one in result.policies:
        line = next(line for line in text.splitlines() if one.policy in line.split() and "log loss" not in line)
        assert f"{one.metrics['log_loss']:.4f}" in line
        assert str(one.retrainings) in line.split()
    plain = as_text(result).splitlines()
    assert len({len(line) for line in plain}) == 1
    assert plain[0].startswith("policy")


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (5.0, 5.0), (-3.0, 7.5), (0.4999, 0.5001), (0.0, 1e9)])
def test_ticks_hold_the_values(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low
    assert high <= ticks[-1]
    assert len(ticks) <= 9
