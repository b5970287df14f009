"""How fast a policy's alarms found the changes that are known, and how often they were false. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from homeostat.core.errors import InvalidInput
from homeostat.retrain.backtest_result import Detection, PolicyResult, StepResult, Turn
from homeostat.retrain.timeline import Timeline, Times

NOTICED = ("performance", "drift", "quality", "change", "adwin")  # triggers that are a sign of change


def rows_of(points: Sequence[str], line: Timeline, *, delay: timedelta) -> list[int]:
    """Return the first row of each new world, in order; raise InvalidInput for what is no row or time of the history."""
    times = _happened(line, delay)
    return sorted({_row(point.strip(), times) for point in points})


def detections(
    one: PolicyResult, points: Sequence[int], line: Timeline, *, delay: timedelta
) -> tuple[list[Detection], int]:
    """Return when each change was found, and how many steps had a false alarm.

    An alarm is a window that the watch calls bad, or a training for a sign of change. It finds a change when its step has rows of the new
    world and the next change is still to come. It is false when the model had learned from nothing but the present world: no change
    lies in its training rows or since.
    """
    times = _happened(line, delay)
    alarms = [(step, at) for step in one.steps if (at := _alarmed(step)) is not None]
    found = []
    ends = [*points[1:], len(times)]
    for point, end in zip(points, ends, strict=True):
        mine = [at for step, at in alarms if point < line.steps[step.index].last and line.steps[step.index].first < end]
        found.append(_detection(point, min(mine, default=None), times))
    oldest = _oldest_learned(one, line)
    false = sum(
        not any(oldest[step.index] < point < line.steps[step.index].last for point in points) for step, _ in alarms
    )
    return found, false


def _row(text: str, times: Times) -> int:
    if text.isascii() and text.isdigit():
        row = int(text)
    else:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError as error:
            raise InvalidInput(
                f"change point '{text}' is no time and no number of rows", hint="write 2024-03-01 or 5000"
            ) from error
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        row = int(np.searchsorted(times, np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")))
    if not 0 < row < len(times):
        raise InvalidInput(
            f"change point '{text}' is not within the history: {len(times):,} rows from {times[0]} to {times[-1]}",
            hint="give a change that lies inside it",
        )
    return row


def _happened(line: Timeline, delay: timedelta) -> Times:
    return line.known_at - np.timedelta64(int(delay / timedelta(microseconds=1)), "us")


def _alarmed(step: StepResult) -> datetime | None:
    """Return when a step's alarm was raised, None where there was none."""
    moments = []
    if step.state == "alarm":
        moments.append(datetime.fromisoformat(step.judged_at or step.end))
    if step.turn.trigger in NOTICED:
        moments.append(datetime.fromisoformat(step.turn.at))
    return min(moments, default=None)


def _detection(point: int, alarmed: datetime | None, times: Times) -> Detection:
    begin = times[point].astype("datetime64[us]").item().replace(tzinfo=UTC)
    if alarmed is None:
        return Detection(row=point, at=begin.isoformat())
    seen = int(np.searchsorted(times, np.datetime64(alarmed.astimezone(UTC).replace(tzinfo=None), "us")))
    return Detection(
        row=point,
        at=begin.isoformat(),
        found=alarmed.isoformat(),
        delay_rows=max(0, seen - point),
        delay_s=max(0.0, (alarmed - begin).total_seconds()),
    )


def _oldest_learned(one: PolicyResult, line: Timeline) -> list[int]:
    """Return, for each step, the oldest row that the model which answered it had learned from."""
    oldest, found = _oldest(one.start, line, 0), []
    for step in one.steps:
        found.append(oldest)
        oldest = _oldest(step.turn, line, oldest)
    return found


def _oldest(turn: Turn, line: Timeline, before: int) -> int:
    if turn.action != "promoted":
        return before
    return max(0, line.known(datetime.fromisoformat(turn.at)).height - turn.rows)
