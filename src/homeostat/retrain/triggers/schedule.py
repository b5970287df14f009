"""A due time of the cron line (UTC) has passed since the last cycle started. Missed due times count once."""

from datetime import UTC, datetime

from homeostat.core.errors import InvalidProject
from homeostat.retrain.settings import Triggers
from homeostat.retrain.triggers.situation import Firing, Situation, Trigger


def fired(situation: Situation, settings: Triggers) -> Firing | None:
    if settings.schedule is None or situation.champion is None:
        return None
    due = last_due(settings.schedule, situation.now)
    last = situation.last_trained
    since = last.started if last else situation.champion.trained_at
    if situation.last_schedule_check is not None and last is None:
        since = max(since, situation.last_schedule_check)
    if due <= since:
        return None
    because = f"the schedule '{settings.schedule}' was due at {due:%Y-%m-%d %H:%M} UTC"
    return Firing(trigger="schedule", cause=f"schedule:{due.isoformat()}", because=because)


def last_due(cron: str, now: datetime) -> datetime:
    """Return the newest due time at or before `now`; raise InvalidProject where the line is not cron.

    >>> last_due("0 3 * * 1", datetime(2024, 1, 10, 12, tzinfo=UTC)).isoformat()
    '2024-01-08T03:00:00+00:00'
    """
    from croniter import croniter
    from croniter.croniter import CroniterError

    try:
        lines = croniter(cron, now.astimezone(UTC), ret_type=datetime)
        return now.astimezone(UTC) if croniter.match(cron, now) and _is_whole(now) else lines.get_prev()
    except (CroniterError, ValueError) as error:
        raise InvalidProject(
            f"retrain.triggers.schedule '{cron}' is not a cron line: {error}",
            hint="five fields, UTC: '0 3 * * 1' is every Monday at 03:00",
        ) from error


def _is_whole(now: datetime) -> bool:
    return now.second == 0 and now.microsecond == 0


TRIGGER = Trigger(name="schedule", rank=40, fired=fired)
