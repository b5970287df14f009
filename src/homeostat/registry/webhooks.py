"""Webhooks: who is told of which events of the registry, what is sent, and when it is sent again.

What is told follows from the audit log alone, by a cursor in it: exactly the events that were committed, in their order. A delivery's id
follows from the event and the webhook, so a crash between sending and noting it down can only repeat a delivery under the same id.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from homeostat.audit.log import record
from homeostat.core.errors import InvalidInput
from homeostat.core.ids import derived_id
from homeostat.core.ports.store import Transaction
from homeostat.core.records.events import Event
from homeostat.core.values import Json
from homeostat.core.webhooks import Delivery, DeliveryState, Webhook

CURSOR = "webhooks.cursor"
MOST_ATTEMPTS = 16
_MOST_WAIT = timedelta(hours=1)
_PAGE = 500
_MOST_TOLD = 500
_NAME = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([a-z0-9._-]*[a-z0-9])?", re.IGNORECASE | re.ASCII)
_AGAIN = {408, 425, 429}
_PROMPT_TAGS = ("mlflow.prompt.is_prompt", "_mlflow_prompt_type")
_PROMPT_TEXT = "mlflow.prompt.text"

EVENTS = (
    "registered_model.created",
    "model_version.created",
    "model_version_tag.set",
    "model_version_tag.deleted",
    "model_version_alias.created",
    "model_version_alias.deleted",
    "prompt.created",
    "prompt_version.created",
    "prompt_tag.set",
    "prompt_tag.deleted",
    "prompt_version_tag.set",
    "prompt_version_tag.deleted",
    "prompt_alias.created",
    "prompt_alias.deleted",
)
# kind of audit event: what it is told as, for a model and for a prompt
_TOLD_AS: dict[str, tuple[str | None, str | None]] = {
    "registered_model.created": ("registered_model.created", "prompt.created"),
    "registered_model.tag_set": (None, "prompt_tag.set"),
    "registered_model.tag_deleted": (None, "prompt_tag.deleted"),
    "model_version.registered": ("model_version.created", "prompt_version.created"),
    "model_version.tag_set": ("model_version_tag.set", "prompt_version_tag.set"),
    "model_version.tag_deleted": ("model_version_tag.deleted", "prompt_version_tag.deleted"),
    "alias.moved": ("model_version_alias.created", "prompt_alias.created"),
    "alias.rolled_back": ("model_version_alias.created", "prompt_alias.created"),
    "alias.removed": ("model_version_alias.deleted", "prompt_alias.deleted"),
}


# -- what clients do


def create(tx: Transaction, webhook: Webhook, *, actor: str, now: datetime) -> Webhook:
    """Return the webhook as stored: it hears of what happens from now on."""
    _check(webhook)
    event = _note(tx, "created", webhook, actor=actor, now=now)
    stored = replace(webhook, since=event.seq)
    tx.webhooks.put(stored)
    return stored


def change(tx: Transaction, webhook_id: str, changes: Mapping[str, Any], *, actor: str, now: datetime) -> Webhook:
    """Return the webhook with these fields changed. One that was switched on again hears of what happens from now on."""
    known = tx.webhooks.get(webhook_id)
    changed = replace(known, **changes, updated=now)
    _check(changed)
    event = _note(tx, "updated", changed, actor=actor, now=now)
    if changed.is_active and not known.is_active:
        changed = replace(changed, since=event.seq)
    tx.webhooks.put(changed)
    return changed


def remove(tx: Transaction, webhook_id: str, *, actor: str, now: datetime) -> None:
    known = tx.webhooks.get(webhook_id)
    tx.webhooks.delete(webhook_id)
    _note(tx, "deleted", known, actor=actor, now=now)


def _check(webhook: Webhook) -> None:
    if not _NAME.fullmatch(webhook.name):
        raise InvalidInput(
            f"Webhook name '{webhook.name[:100]}' is invalid. It must start and end with a letter or digit, be at most 63 characters "
            "long, and contain only letters, digits, dots (.), underscores (_), and hyphens (-)."
        )
    if not webhook.events:
        raise InvalidInput("Webhook events must be a non-empty list.")
    for event in webhook.events:
        if event not in EVENTS:
            raise InvalidInput(f"'{event[:100]}' is not an event that webhooks hear of here", hint=", ".join(EVENTS))
    if webhook.description is not None and len(webhook.description) > 1000:
        raise InvalidInput("A webhook's description has at most 1000 characters.")
    if webhook.secret is not None and len(webhook.secret) > 1000:
        raise InvalidInput("A webhook's secret has at most 1000 characters.")


def _note(tx: Transaction, what: str, webhook: Webhook, *, actor: str, now: datetime) -> Event:
    payload: Json = {
        "name": webhook.name,
        "url": webhook.url,
        "events": list(webhook.events),
        "is_active": webhook.is_active,
    }
    subject = f"webhook:{webhook.webhook_id}"
    return record(tx, f"webhook.{what}", subject=subject, actor=actor, time=now, payload=payload)


# -- from the audit log to deliveries


def queue(tx: Transaction, *, now: datetime) -> int:
    """Turn the events since the last time into deliveries, and move the cursor; return how many events were read.

    Call it again as long as it returns something.
    """
    listeners = [webhook for webhook in tx.webhooks.all() if webhook.is_active]
    events = _news(tx, listeners, limit=_PAGE)
    if not events:
        return 0
    deliveries = []
    for event in events:
        told = told_of(event)
        if told is None:
            continue
        name, data = told
        body = body_of(name, data, event.time)
        deliveries += [
            Delivery(
                delivery_id=derived_id("delivery", webhook.webhook_id, event.seq),
                webhook_id=webhook.webhook_id,
                seq=event.seq,
                event=name,
                body=body,
                created=now,
                due=now,
            )
            for webhook in listeners
            if name in webhook.events and event.seq > webhook.since
        ]
    tx.webhooks.add_deliveries(deliveries)
    tx.watch.set_state(CURSOR, {"seq": events[-1].seq})
    return len(events)


def has_news(tx: Transaction) -> bool:
    """Return whether something happened that a webhook may want to hear of."""
    return bool(_news(tx, [webhook for webhook in tx.webhooks.all() if webhook.is_active], limit=1))


def _news(tx: Transaction, listeners: Sequence[Webhook], *, limit: int) -> list[Event]:
    """The events that nobody was told of yet. What happened before anybody listened is not read."""
    if not listeners:
        return []
    seen = int((tx.watch.get_state(CURSOR) or {}).get("seq", 0))
    after = max(seen, min(webhook.since for webhook in listeners))
    return tx.audit.events(after=after, kinds=sorted(_TOLD_AS), limit=limit)


def told_of(event: Event) -> tuple[str, Json] | None:
    """Return what an audit event is told as, and its data; None for one that nobody is told of."""
    payload = event.payload
    is_prompt = bool(payload.get("is_prompt"))
    name = _TOLD_AS.get(event.kind, (None, None))[is_prompt]
    if name is None:
        return None
    model = event.subject.removeprefix("model:")
    data: Json = {"name": model}
    entity, _, action = name.partition(".")
    if entity in ("registered_model", "prompt"):
        data |= {"tags": _tags(payload, is_prompt=is_prompt), "description": payload.get("description") or None}
    elif entity == "model_version":
        data |= {
            "version": str(payload.get("version")),
            "source": payload.get("source") or "",
            "run_id": payload.get("run_id") or None,
            "tags": _tags(payload, is_prompt=False),
            "description": payload.get("description") or None,
        }
    elif entity == "prompt_version":
        data |= {
            "version": str(payload.get("version")),
            "template": (payload.get("tags") or {}).get(_PROMPT_TEXT),
            "tags": _tags(payload, is_prompt=True),
            "description": payload.get("description") or None,
        }
    elif entity.endswith("_alias"):
        data["alias"] = payload.get("alias")
        if action == "created":
            data["version"] = str(payload.get("to"))
    else:
        if entity != "prompt_tag":
            data["version"] = str(payload.get("version"))
        data["key"] = payload.get("key")
        if action == "set":
            data["value"] = payload.get("value")
    return name, data


def _tags(payload: Json, *, is_prompt: bool) -> dict[str, str]:
    tags = dict(payload.get("tags") or {})
    return {key: value for key, value in tags.items() if not (is_prompt and key in (*_PROMPT_TAGS, _PROMPT_TEXT))}


def body_of(event: str, data: Json, time: datetime) -> str:
    """Return what is sent of an event."""
    entity, _, action = event.partition(".")
    return json.dumps({"entity": entity, "action": action, "timestamp": time.astimezone(UTC).isoformat(), "data": data})


def example_of(event: str) -> Json:
    """Return data such as an event's, for a test."""
    entity, _, action = event.partition(".")
    data: Json = {"name": "example_prompt" if entity.startswith("prompt") else "example_model"}
    if entity not in ("registered_model", "prompt", "prompt_tag") and not (
        entity.endswith("_alias") and action == "deleted"
    ):
        data["version"] = "1"
    if entity == "model_version":
        data |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if entity == "prompt_version":
        data["template"] = "Hello {{name}}!"
    if action == "created" and not entity.endswith("_alias"):
        data |= {"tags": {"example_key": "example_value"}, "description": "An example"}
    if entity.endswith("_alias"):
        data["alias"] = "example_alias"
    if entity.endswith("_tag"):
        data |= {"key": "example_key", **({"value": "example_value"} if action == "set" else {})}
    return data


# -- sending


def headers_of(delivery_id: str, body: str, *, secret: str | None, now: datetime) -> dict[str, str]:
    """Return the headers of one attempt: its id, its time and, where there is a secret, its signature."""
    seconds = str(int(now.timestamp()))
    out = {
        "Content-Type": "application/json",
        "User-Agent": "homeostat-webhook",
        "X-MLflow-Delivery-Id": delivery_id,
        "X-MLflow-Timestamp": seconds,
    }
    if secret:
        out["X-MLflow-Signature"] = signature(secret, delivery_id, seconds, body)
    return out


def signature(secret: str, delivery_id: str, seconds: str, body: str) -> str:
    """Return `v1,` and the HMAC-SHA256 of `id.time.body`, as receivers of MLflow's webhooks check it.

    >>> signature("s", "d", "1", "{}")
    'v1,IU+2+KHu4+2P4cNMuwvd3lx0u3yUZ/KaEHscpFOsm4Y='
    """
    found = hmac.new(secret.encode(), f"{delivery_id}.{seconds}.{body}".encode(), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(found).decode()}"


def settled(
    delivery: Delivery, *, status: int | None, error: str | None, retry_after_s: float | None, now: datetime
) -> Delivery:
    """Return the delivery after an attempt: delivered, failed for good, or due again, ever later."""
    attempts = delivery.attempts + 1
    told = replace(delivery, attempts=attempts, status=status, error=error[:_MOST_TOLD] if error else None, due=now)
    if status is not None and 200 <= status < 300:
        return replace(told, state=DeliveryState.DELIVERED, error=None)
    is_final = status is not None and status < 500 and status not in _AGAIN
    if is_final or attempts >= MOST_ATTEMPTS:
        return replace(told, state=DeliveryState.FAILED, error=told.error or f"answered {status}")
    wait = min(timedelta(seconds=2 ** min(attempts - 1, 20)), _MOST_WAIT)
    if retry_after_s is not None:
        wait = min(max(wait, timedelta(seconds=min(retry_after_s, 3600))), _MOST_WAIT)
    return replace(told, due=now + wait, error=told.error or f"answered {status}")


def refused(delivery: Delivery, *, error: str, now: datetime) -> Delivery:
    """Return the delivery that may not be made at all."""
    attempts = delivery.attempts + 1
    return replace(delivery, attempts=attempts, state=DeliveryState.FAILED, error=error[:_MOST_TOLD], due=now)
