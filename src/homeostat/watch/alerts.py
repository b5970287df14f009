"""Alerts: what is told of an incident, to which channels, and when. Pure but for the transaction.

What is told follows from the audit log alone, by a cursor in it, as with webhooks: an incident's opening, its getting worse and its end, each
once per channel, however often a process dies. That one cause is one story, and that a cool-down keeps it from being told again, is the
incidents' business (`watch.incident`).
"""

import json
from collections.abc import Sequence
from datetime import datetime

from homeostat.core.ids import derived_id
from homeostat.core.ports.store import Transaction
from homeostat.core.records.events import Event
from homeostat.core.values import Json
from homeostat.core.webhooks import Delivery

CURSOR = "alerts.cursor"
PREFIX = "alert:"
KINDS = ("incident.escalated", "incident.opened", "incident.resolved")
_PAGE = 500
_WORDS = {
    "incident.opened": "{model}: {kind} incident, {severity}",
    "incident.escalated": "{model}: {kind} incident is worse, {severity}",
    "incident.resolved": "{model}: {kind} incident is over",
}


def has_news(tx: Transaction) -> bool:
    """Return whether something happened that a channel may want to hear of, or nobody has begun to listen."""
    seen = tx.watch.get_state(CURSOR)
    return seen is None or bool(tx.audit.events(after=int(seen["seq"]), kinds=list(KINDS), limit=1))


def queue(tx: Transaction, channels: Sequence[str], *, now: datetime) -> int:
    """Turn incidents' events since the last time into deliveries, one per channel, and move the cursor; return how many events were read.

    The first call only begins to listen: what happened before there were channels is not told. Call it again as long as it returns something.
    """
    seen = tx.watch.get_state(CURSOR)
    if seen is None:
        head = tx.audit.head()
        tx.watch.set_state(CURSOR, {"seq": 0 if head is None else head[0]})
        return 0
    events = tx.audit.events(after=int(seen["seq"]), kinds=list(KINDS), limit=_PAGE)
    if not events:
        return 0
    told = [event for event in events if event.payload.get("is_told")]
    tx.webhooks.add_deliveries(
        Delivery(
            delivery_id=derived_id("alert", channel, event.seq),
            webhook_id=PREFIX + channel,
            seq=event.seq,
            event=event.kind,
            body=json.dumps(message(event)),
            created=now,
            due=now,
        )
        for event in told
        for channel in channels
    )
    tx.watch.set_state(CURSOR, {"seq": events[-1].seq})
    return len(events)


def message(event: Event) -> Json:
    """Return what is sent of an incident's event: `title` and `text` for people, and the facts for programs."""
    payload = event.payload
    model = event.subject.removeprefix("model:")
    facts = {"model": model, "kind": payload["kind"], "severity": payload["severity"]}
    columns = payload.get("columns") or []
    lines = [
        str(payload["because"]),
        *([f"columns: {', '.join(columns[:10])}"] if columns else []),
        f"homeostat incidents show {str(payload['incident'])[:12]}",
    ]
    return {
        "title": _WORDS[event.kind].format(**facts),
        "text": "\n".join(lines),
        "event": event.kind,
        "time": event.time.isoformat(),
        "incident": payload["incident"],
        "columns": columns,
        **facts,
    }


def trial_message(now: datetime, model: str) -> Json:
    """Return a message that says that it is a test."""
    title = f"{model}: a test message"
    return {
        "title": title,
        "text": "Alerts of this model will come here.",
        "event": "test",
        "time": now.isoformat(),
        "model": model,
    }
