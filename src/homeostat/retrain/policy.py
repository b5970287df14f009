"""Whether to retrain now, and why or why not. Pure.

One cycle at a time. The cool-down counts from the start of the last cycle that trained. After cycles that brought nothing (rejected,
rolled back, failed) the wait doubles from the second in a row on, up to eight times, so that a stretch of bad data does not burn a
training per tick. Not from the first on: the first try after the world has turned over comes too early to have seen enough of it.
A first model does not wait for a cool-down, but does wait after tries that brought nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from homeostat.core.records.cycles import Cycle
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.triggers.situation import Firing, Situation

MOST_GROWTH = 8
# Without a cool-down, what brought nothing still must not be tried again at once, for ever.
LEAST_BACK_OFF = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`wait`: there is a reason to retrain, but not yet (`until`, where that is known).

    `rows`: train on so many of the newest rows; None: on what the project says.
    """

    kind: Literal["retrain", "wait", "nothing"]
    because: str
    firing: Firing | None = None
    until: datetime | None = None
    rows: int | None = None

    def __post_init__(self) -> None:
        if not self.because:
            raise ValueError("a decision gives its reason")
        if self.kind == "retrain" and self.firing is None:
            raise ValueError("a decision to retrain names what fired")


def decide(
    firings: Sequence[Firing], *, situation: Situation, running: Cycle | None, policy: RetrainSettings
) -> Decision:
    """Return what to do about the firings, of which the first names the cycle."""
    if not firings:
        return Decision(kind="nothing", because="no trigger fired")
    firing = firings[0]
    if running is not None:
        because = f"the cycle {running.cycle_id[:8]}, {running.trigger}, is still running: one at a time"
        return Decision(kind="wait", firing=firing, because=because)
    last = situation.last_trained
    wait = waiting_time(situation.unsuccessful_in_a_row, is_first=firing.trigger == "first", policy=policy)
    if last is not None and situation.now < last.started + wait:
        return Decision(
            kind="wait",
            firing=firing,
            until=last.started + wait,
            because=f"{firing.because}; but {_cool_down(situation.unsuccessful_in_a_row, last.started + wait)}",
        )
    return Decision(kind="retrain", firing=firing, because=firing.because)


def waiting_time(unsuccessful: int, *, is_first: bool, policy: RetrainSettings) -> timedelta:
    """Return the least time between the start of the last cycle that trained and the next.

    >>> from homeostat.core.duration import Duration
    >>> policy = RetrainSettings(cooldown=Duration(days=1))
    >>> [waiting_time(n, is_first=False, policy=policy).days for n in range(5)]
    [1, 1, 2, 4, 8]
    """
    if not unsuccessful:
        return timedelta() if is_first else policy.cooldown
    growth = min(1 << min(unsuccessful - 1, 16), MOST_GROWTH)
    return max(policy.cooldown, LEAST_BACK_OFF) * growth


def _cool_down(unsuccessful: int, until: datetime) -> str:
    longer = f", longer after {unsuccessful} cycles in a row that brought nothing" if unsuccessful > 1 else ""
    return f"the cool-down lasts until {until:%Y-%m-%d %H:%M} UTC{longer}"
