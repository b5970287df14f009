"""Charts: they draw what they are given, where it belongs."""

import re
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homeostat.watch.profile.reliability import Reliability, reliability_of
from homeostat.web.pages.charts import Point, over_time, reliability_curve

START = datetime(2026, 1, 1, tzinfo=UTC)
NUMBERS = st.none() | st.floats(-1e12, 1e12)


def points(*values, **more):
    return [Point(at=START + timedelta(days=k), value=value, **more) for k, value in enumerate(values)]


def read(svg):
    return ET.fromstring(svg)


def test_kept_promises_are_on_the_diagonal():
    score = np.full(1000, 0.525)
    svg = reliability_curve(reliability_of(score, (np.arange(1000) < 525).astype(float)))
    dot = next(one for one in read(svg) if one.get("class") == "dot")
    ideal = re.findall(r"[\d.]+", next(one for one in read(svg) if one.get("class") == "ideal").get("d"))
    x0, y0, x1, y1 = map(float, ideal)
    x, y = float(dot.get("cx")), float(dot.get("cy"))
    assert abs((x - x0) / (x1 - x0) - 0.525) < 1e-3
    assert abs((y0 - y) / (y0 - y1) - 0.525) < 1e-3
    assert "of 1,000 labelled" in dot[0].text


def test_broken_promises_are_below_it():
    svg = reliability_curve(reliability_of(np.full(100, 0.9), (np.arange(100) < 30).astype(float)))
    assert "promised 90.0%, came true 30.0%" in svg


def test_bars_count_all_answers_and_those_with_labels():
    svg = reliability_curve(reliability_of(np.array([0.1, 0.1, 0.9]), np.array([1.0, np.nan, 0.0])))
    assert "2 answers, 1 labelled" in svg


def test_without_labels_there_is_no_curve():
    assert reliability_curve(reliability_of(np.array([0.1, 0.9]))) == ""
    assert reliability_curve(Reliability()) == ""


def test_a_window_without_a_value_breaks_the_line():
    svg = over_time([("loss", points(1.0, None, 2.0))], name="loss")
    path = next(one for one in read(svg) if one.get("class") == "line l0").get("d")
    assert (path.count("M"), path.count("L")) == (2, 0)
    assert over_time([("loss", points(None, None))], name="loss") == ""


def test_alarms_are_squares():
    svg = over_time([("loss", points(1.0, state="alarm"))], name="loss")
    assert '<rect class="alarm"' in svg


def test_words_are_escaped():
    assert "<b>" not in over_time([("loss", points(1.0, told="<b>"))], name='"<b>')


@given(st.lists(NUMBERS, min_size=1, max_size=8), st.lists(NUMBERS, min_size=1, max_size=8))
def test_any_numbers_are_drawn_within_the_picture(first, second):
    svg = over_time([("a", points(*first)), ("b", points(*second))], name="any")
    if not svg:
        return
    root = read(svg)
    _, _, width, height = map(float, root.get("viewBox").split())
    for one in root:
        for x in (one.get("cx"), one.get("x")):
            assert x is None or -1 <= float(x) <= width + 1
        for y in (one.get("cy"), one.get("y")):
            assert y is None or -1 <= float(y) <= height + 1
