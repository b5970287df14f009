"""What the control charts say of the newest value, beside those before it. Pure.

Limits come from the first windows in control (phase I) and stay as they are: a chart that learned from every new value would follow a slow
decay and never see it. They are learned anew only after a person has acknowledged a change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from homeostat.watch.control.cusum import cusum
from homeostat.watch.control.ewma import ewma
from homeostat.watch.control.p_chart import share_limits
from homeostat.watch.control.phase_one import freeze
from homeostat.watch.control.rules import patterns
from homeostat.watch.control.seasonal import seasonal

PHASE_ONE = 20  # windows that limits are learned from
LEAST_SHARES = 8  # windows, below which shares have no limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`signals`: what is out of control, strongest first. `information`: patterns that a process in control shows now and then."""

    signals: tuple[str, ...] = ()
    information: tuple[str, ...] = ()


def read_charts(
    history: Sequence[float],
    value: float,
    *,
    starts: Sequence[datetime] | None = None,
    start: datetime | None = None,
) -> Reading:
    """Return what the charts say against a rise: of single values, moving averages, sums, and the Western Electric rules.

    `history`: the earlier values, oldest first. Nothing is said before 8 of the first 20 were in control. With the `starts` of the earlier
    windows and the `start` of this one, a value that is ordinary for its hour of the week is no signal by itself.
    """
    frozen = freeze(history[:PHASE_ONE])
    if frozen is None:
        return Reading()
    scores = [frozen.score(known) for known in history[PHASE_ONE:]] + [frozen.score(value)]
    first = f"the first {frozen.count} windows in control"
    signals: list[str] = []
    is_ordinary_now = False
    if starts is not None and start is not None:
        in_season = seasonal(list(zip(starts, history, strict=True)), start, value)
        is_ordinary_now = in_season is not None and not in_season.signal
    if scores[-1] > 3.0 and not is_ordinary_now:
        signals.append(f"is worse than {first} let expect (individuals chart)")
    if frozen.scale:
        average = ewma(scores, center=0.0, scale=1.0)[-1]
        if average.value > average.upper:
            signals.append(f"has been getting worse since {first} (moving average chart)")
        sums = cusum(scores, center=0.0, scale=1.0)[-1]
        if sums.above > sums.limit:
            signals.append(f"adds up to more than {first} let expect (CUSUM chart)")
    found = [one for one in patterns(scores) if one.side == "above"]
    signals += [f"shows {one.words} (Western Electric rule {one.rule})" for one in found if one.rule == 4]
    information = [f"{one.words} (Western Electric rule {one.rule})" for one in found if not one.is_alarm]
    return Reading(signals=tuple(signals), information=tuple(information))


def read_shares(history: Sequence[tuple[int, int]], bad: int, rows: int) -> str | None:
    """Return what the chart of shares says against the newest window, None for nothing. `history`: (bad, rows) of earlier windows."""
    known = [(b, n) for b, n in history[:PHASE_ONE] if n]
    if len(known) < LEAST_SHARES or not rows:
        return None
    limits = share_limits([b for b, _ in known], [n for _, n in known])
    point = limits.of(bad, rows)
    if point.value <= point.upper:
        return None
    return f"{point.value:.2%} of rows are bad, {limits.center:.2%} in the first {len(known)} windows (p' chart: at most {point.upper:.2%})"
