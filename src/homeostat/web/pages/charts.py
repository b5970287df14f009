"""Charts as hand-written SVG, to be put into a page as they are: every text in them is escaped, their colours are the page's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from homeostat.gate.stats import wilson
from homeostat.retrain.report_chart import nice_ticks
from homeostat.watch.profile.reliability import BINS, Reliability

_WIDTH, _HEIGHT = 640, 220
_SIDE, _COUNTS = 320, 60
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 14, 12, 26
_MOST_TIMES = 5

_X = Callable[[datetime], float]
_Y = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value at a moment; None breaks the line. `low`, `high`: its interval. `state` gives the mark its colour, `told` its words."""

    at: datetime
    value: float | None
    low: float | None = None
    high: float | None = None
    state: str = "ok"
    told: str = ""


def over_time(lines: Sequence[tuple[str, Sequence[Point]]], *, name: str, form: str = "g") -> str:
    """Return a chart of lines over time, the first one with marks and intervals; '' where no point has a value.

    `name`: what it shows, for who cannot see it; `form`: how values are written on the left, `.0%` for shares.
    """
    known = [point for _, points in lines for point in points if point.value is not None]
    if not known:
        return ""
    values = [value for one in known for value in (one.value, one.low, one.high) if value is not None]
    ticks = nice_ticks(min(values), max(values), wanted=4)
    low, high = min(ticks[0], *values), max(ticks[-1], *values)
    moments = [point.at.timestamp() for _, points in lines for point in points]
    first, last = min(moments), max(moments)

    def x(at: datetime) -> float:
        share = 0.5 if last == first else (at.timestamp() - first) / (last - first)
        return _LEFT + 8 + share * (_WIDTH - _LEFT - _RIGHT - 16)

    def y(value: float) -> float:
        return _TOP + (high - value) / ((high - low) or 1.0) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(name)}">']
    parts += [_level(y(tick), format(tick, form), right=_WIDTH - _RIGHT) for tick in ticks]
    parts += _times([point.at for point in lines[0][1]], x)
    for place, (_, points) in enumerate(lines):
        parts.append(f'<path class="line l{place}" d="{_path(points, x, y)}"/>')
        if place == 0:
            parts += [_mark(point, x(point.at), y) for point in points if point.value is not None]
    return "".join([*parts, "</svg>"])


def _level(y: float, label: str, *, right: float, left: float = _LEFT) -> str:
    return (
        f'<line class="grid" x1="{left}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(label)}</text>'
    )


def _times(moments: Sequence[datetime], x: _X) -> list[str]:
    """Return the words below the chart: days, and hours where all is within three days."""
    every = max(1, math.ceil(len(moments) / _MOST_TIMES))
    shown = moments[::every]
    form = "%d %b %H:%M" if (moments[-1] - moments[0]).days < 3 else "%d %b %Y"
    return [
        f'<text class="tick" x="{x(at):.1f}" y="{_HEIGHT - 8}" text-anchor="middle">{at.strftime(form)}</text>'
        for at in shown
    ]


def _path(points: Sequence[Point], x: _X, y: _Y) -> str:
    path, is_down = [], False
    for point in points:
        if point.value is None:
            is_down = False
            continue
        path.append(f"{'L' if is_down else 'M'}{x(point.at):.1f} {y(point.value):.1f}")
        is_down = True
    return "".join(path)


def _mark(point: Point, x: float, y: _Y) -> str:
    """Return the dot of a point and its interval; a square where its window alarmed, so that colour alone says nothing."""
    assert point.value is not None
    middle = y(point.value)
    interval = ""
    if point.low is not None and point.high is not None:
        interval = f'<path class="interval" d="M{x:.1f} {y(point.low):.1f}V{y(point.high):.1f}"/>'
    title = f"<title>{escape(point.told)}</title>"
    if point.state in ("alarm", "warn"):
        shape = f'<rect class="{point.state}" x="{x - 4:.1f}" y="{middle - 4:.1f}" width="8" height="8">{title}</rect>'
    else:
        shape = f'<circle class="dot" cx="{x:.1f}" cy="{middle:.1f}" r="3.5">{title}</circle>'
    return interval + shape


def reliability_curve(found: Reliability) -> str:
    """Return how often it came true by what was promised, with 95 % intervals, over how many answers there were; '' where nothing is labelled."""
    if not sum(found.labelled):
        return ""
    left, right, bottom = _LEFT, _LEFT + _SIDE, _TOP + _SIDE
    base = bottom + 24 + _COUNTS

    def x(share: float) -> float:
        return left + share * _SIDE

    def y(share: float) -> float:
        return bottom - share * _SIDE

    name = "how often it came true, by the probability that was promised"
    parts = [f'<svg class="reliability" viewBox="0 0 {right + 48} {base + 36}" role="img" aria-label="{name}">']
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(_level(y(share), f"{share:.0%}", right=right))
        parts.append(f'<text class="tick" x="{x(share):.1f}" y="{base + 16}" text-anchor="middle">{share:.0%}</text>')
    parts.append(f'<path class="ideal" d="M{x(0):.1f} {y(0):.1f}L{x(1):.1f} {y(1):.1f}"/>')
    points: list[str] = []
    for place, labelled in enumerate(found.labelled):
        if not labelled:
            continue
        promised, came = found.promised[place] / labelled, found.came[place] / labelled
        interval = wilson(found.came[place], labelled)
        points.append(f"{'L' if points else 'M'}{x(promised):.1f} {y(came):.1f}")
        title = f"promised {promised:.1%}, came true {came:.1%} ({interval.low:.1%} to {interval.high:.1%}) of {labelled:,} labelled"
        parts.append(f'<path class="interval" d="M{x(promised):.1f} {y(interval.low):.1f}V{y(interval.high):.1f}"/>')
        parts.append(
            f'<circle class="dot" cx="{x(promised):.1f}" cy="{y(came):.1f}" r="4"><title>{title}</title></circle>'
        )
    parts.append(f'<path class="line l0" d="{"".join(points)}"/>')
    parts += _counts(found, left=left, base=base)
    parts.append(
        f'<text class="tick" x="{(left + right) / 2:.1f}" y="{base + 32}" text-anchor="middle">promised probability</text></svg>'
    )
    return "".join(parts)


def _counts(found: Reliability, *, left: float, base: float) -> list[str]:
    """Return a bar for the answers of each bin, the labelled part of it darker."""
    most, wide = max(found.counts) or 1, _SIDE / BINS
    parts = [_level(base - _COUNTS, f"{most:,}", right=left + _SIDE), _level(base, "0", right=left + _SIDE)]
    for place, (count, labelled) in enumerate(zip(found.counts, found.labelled, strict=True)):
        if not count:
            continue
        title = f"{place / BINS:.0%} to {(place + 1) / BINS:.0%}: {count:,} answers, {labelled:,} labelled"
        for kind, height in (("all", _COUNTS * count / most), ("known", _COUNTS * labelled / most)):
            parts.append(
                f'<rect class="{kind}" x="{left + place * wide + 1:.1f}" y="{base - height:.1f}" width="{wide - 2:.1f}" '
                f'height="{height:.1f}"><title>{title}</title></rect>'
            )
    return parts
