"""Line charts of a metric over the replay, as hand-written SVG: a line for each policy, and a lane of marks below."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape

from homeostat.retrain.backtest_result import BacktestResult, PolicyResult, StepResult

WIDTH, NARROW, HEIGHT = (
    960,
    400,
    280,
)  # of screens, and of phones: a picture made smaller has words that nobody can read
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 14, 30
_LANE = 18
_TICK = 80  # what the words of a moment take
# Told apart by dashes too, not by colour alone; the page gives the colours.
_DASHES = ("5 4", "2 3", "", "9 3", "9 3 2 3", "1 2")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """Where moments and values lie on the drawing."""

    start: float
    end: float
    low: float
    high: float
    width: int = WIDTH

    def x(self, moment: float) -> float:
        span = (self.end - self.start) or 1.0
        return _LEFT + (moment - self.start) / span * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        return _TOP + (self.high - value) / span * (HEIGHT - _TOP - _BOTTOM)


def chart(result: BacktestResult, metric: str, *, width: int = WIDTH) -> str:
    """Return the chart of a metric, '' where no step has it. Marks: a triangle is an alert, a dot a retraining, a ring a rejection."""
    values = [step.metrics[metric] for one in result.policies for step in one.steps if metric in step.metrics]
    if not values:
        return ""
    ticks = nice_ticks(min(values), max(values))
    steps = result.policies[0].steps
    scale = _Scale(
        start=_moment(steps[0].start),
        end=_moment(steps[-1].end),
        low=min(ticks[0], *values),
        high=max(ticks[-1], *values),
        width=width,
    )
    height = HEIGHT + _LANE * len(result.policies) + 8
    name = escape(metric)
    parts = [
        f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name} of each policy over the replay">',
        *_grid(scale, ticks, result),
        *_changes(scale, result),
        *(_line(one, metric, scale, index) for index, one in enumerate(result.policies)),
        *(_lane(one, scale, index) for index, one in enumerate(result.policies)),
        "</svg>",
    ]
    return "".join(parts)


def nice_ticks(low: float, high: float, *, wanted: int = 5) -> list[float]:
    """Return round numbers from at most `low` to at least `high`.

    >>> nice_ticks(0.13, 0.48)
    [0.1, 0.2, 0.3, 0.4, 0.5]
    """
    span = (high - low) or abs(high) or 1.0
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    size = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first, last = math.floor(low / size), math.ceil(high / size)
    return [round(k * size, 12) for k in range(first, last + 1)]


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _middle(step: StepResult) -> float:
    return (_moment(step.start) + _moment(step.end)) / 2


def _grid(scale: _Scale, ticks: Sequence[float], result: BacktestResult) -> list[str]:
    parts = []
    for tick in ticks:
        y = scale.y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{scale.width - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for moment, label in _time_ticks(result, most=scale.width // _TICK):
        x = scale.x(moment)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 18}" text-anchor="middle">{escape(label)}</text>'
        )
    return parts


def _time_ticks(result: BacktestResult, *, most: int) -> list[tuple[float, str]]:
    """Return moments with their words: months or days, and step numbers where the data have no times."""
    steps = result.policies[0].steps
    every = max(1, math.ceil(len(steps) / most))
    if not result.has_times:
        return [(_moment(step.start), f"step {step.index + 1}") for step in steps[::every]]
    start, end = datetime.fromisoformat(steps[0].start), datetime.fromisoformat(steps[-1].end)
    months = [month for month in _months(start, end) if start <= month <= end]
    if len(months) >= 3:
        thin = max(1, math.ceil(len(months) / most))
        shown = months[::thin]
        years = [0, *(month.year for month in shown)]  # each year is named where it begins, and at the start
        return [
            (month.timestamp(), f"{month:%b %Y}" if month.year != year else f"{month:%b}")
            for month, year in zip(shown, years, strict=False)
        ]
    form = "%d %b" if end - start > timedelta(days=3) else "%d %b %H:%M"
    thin = max(1, math.ceil(len(steps) / (most * 2 // 3)))
    return [(_moment(step.start), datetime.fromisoformat(step.start).strftime(form)) for step in steps[::thin]]


def _months(start: datetime, end: datetime) -> list[datetime]:
    first = start.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    count = (end.year - start.year) * 12 + end.month - start.month + 1
    return [
        first.replace(year=first.year + (first.month - 1 + k) // 12, month=(first.month - 1 + k) % 12 + 1)
        for k in range(count)
    ]


def _changes(scale: _Scale, result: BacktestResult) -> list[str]:
    """Return a line for each known change within the drawing."""
    moments = {each.at: _moment(each.at) for one in result.policies for each in one.detections}
    return [
        f'<line class="change" x1="{scale.x(moment):.1f}" x2="{scale.x(moment):.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}">'
        f"<title>{_told(at, 'a known change')}</title></line>"
        for at, moment in moments.items()
        if scale.start <= moment <= scale.end
    ]


def _line(one: PolicyResult, metric: str, scale: _Scale, index: int) -> str:
    """Return the line of a policy; steps without the metric break it."""
    path, is_down = [], False
    for step in one.steps:
        value = step.metrics.get(metric)
        if value is None:
            is_down = False
            continue
        path.append(f"{'L' if is_down else 'M'}{scale.x(_middle(step)):.1f} {scale.y(value):.1f}")
        is_down = True
    dash = _DASHES[index % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<path class="line p{index % len(_DASHES)}" d="{"".join(path)}"{dashes}><title>{escape(one.policy)}</title></path>'


def _lane(one: PolicyResult, scale: _Scale, index: int) -> str:
    y = HEIGHT + _LANE * index + 6
    colour = f"p{index % len(_DASHES)}"
    marks = [
        f'<text class="tick" x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(_short(one.policy))}</text>',
        f'<line class="grid" x1="{_LEFT}" x2="{scale.width - _RIGHT}" y1="{y}" y2="{y}"/>',
    ]
    for step in one.steps:
        if step.state == "alarm":
            x = scale.x(_middle(step))
            marks.append(
                f'<path class="alert" d="M{x - 3:.1f} {y + 3}h6l-3 -6z"><title>{_told(step.start, step.summary)}</title></path>'
            )
        if step.turn.action in ("promoted", "rejected", "rolled_back", "failed"):
            x = scale.x(_moment(step.end))
            kind = "done" if step.turn.action == "promoted" else "refused"
            title = _told(step.turn.at, f"{step.turn.action}: {step.turn.because}")
            marks.append(f'<circle class="{kind} {colour}" cx="{x:.1f}" cy="{y}" r="4"><title>{title}</title></circle>')
    return "".join(marks)


def _told(at: str, words: str) -> str:
    return escape(f"{at[:16].replace('T', ' ')} {words}"[:400])


def _short(name: str) -> str:
    return name if len(name) <= 9 else name[:8] + "…"


def swatch(index: int) -> str:
    """Return a short piece of the line of the policy at that place, for a legend."""
    dash = _DASHES[index % len(_DASHES)]
    dashes = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<svg class="swatch" viewBox="0 0 30 10" aria-hidden="true">'
        f'<path class="line p{index % len(_DASHES)}" d="M0 5H30"{dashes}/></svg>'
    )
