"""Webhooks: made, listed, changed, tried and deleted."""

from typing import Any
from uuid import uuid4

from homeostat.core.errors import HomeostatError, Unreachable
from homeostat.core.ports.store import Transaction
from homeostat.core.webhooks import Webhook
from homeostat.registry import webhooks
from homeostat.registry.addresses import OutboundRules, check_addresses, target_of
from homeostat.track.search.pages import next_token, offset_of
from homeostat.web.mlflow_api.call import Call, as_text, wrong
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Work, Write
from homeostat.web.mlflow_api.errors import invalid

Json = dict[str, Any]
_STATES = {"ACTIVE": True, "DISABLED": False}
_MOST_LISTED = 1000
_EVENT = {"entity": "MODEL_VERSION", "action": "CREATED"}
_EXAMPLE = {"name": "tell", "url": "https://hooks.example.org/models", "events": [_EVENT]}


def create(call: Call, desk: Desk) -> Work:
    now = desk.clock.now()
    webhook = Webhook(
        webhook_id=str(uuid4()),
        name=call.text("name"),
        url=call.text("url"),
        events=_events(call),
        description=call.text_or_none("description") or None,
        secret=call.text_or_none("secret") or None,
        is_active=_state(call, default=True),
        created=now,
        updated=now,
    )

    def work() -> Json:
        _check(webhook.url)
        with desk.store.write() as tx:
            return {"webhook": _written(webhooks.create(tx, webhook, actor=desk.actor, now=now))}

    return Work(work)


def list_(call: Call, _desk: Desk) -> Read:
    limit = call.integer_or_none("max_results") or 100
    if not 1 <= limit <= _MOST_LISTED:
        raise invalid("max_results must be between 1 and 1000.")
    offset = offset_of(call.text_or_none("page_token"))

    def work(tx: Transaction) -> Json:
        found = tx.webhooks.all(limit=limit + 1, offset=offset)
        out: Json = {"webhooks": [_written(each) for each in found[:limit]]}
        return out | ({"next_page_token": next_token(offset + limit)} if len(found) > limit else {})

    return Read(work)


def get(call: Call, _desk: Desk) -> Read:
    return Read(lambda tx: {"webhook": _written(tx.webhooks.get(call.params["webhook_id"]))})


def change(call: Call, desk: Desk) -> Work:
    changes: Json = {}
    for name in ("name", "url"):
        if value := call.text_or_none(name):
            changes[name] = value
    for name in ("description", "secret"):
        if (value := call.text_or_none(name)) is not None:
            changes[name] = value or None
    if call.has("events") and (events := _events(call)):
        changes["events"] = events
    if call.has("status"):
        changes["is_active"] = _state(call, default=True)

    def work() -> Json:
        if "url" in changes:
            _check(changes["url"])
        now = desk.clock.now()
        with desk.store.write() as tx:
            return {
                "webhook": _written(webhooks.change(tx, call.params["webhook_id"], changes, actor=desk.actor, now=now))
            }

    return Work(work)


def remove(call: Call, desk: Desk) -> Write:
    webhook_id, now = call.params["webhook_id"], desk.clock.now()
    return Write(lambda tx: webhooks.remove(tx, webhook_id, actor=desk.actor, now=now), after=lambda _: {})


def try_(call: Call, desk: Desk) -> Work:
    """Send an example now, once, and tell what the receiver answered."""
    given = call.item("event")

    def work() -> Json:
        from homeostat.app.webhooks import rules_here, send

        with desk.store.read() as tx:
            webhook = tx.webhooks.get(call.params["webhook_id"])
        event = _event(given) if given is not None else webhook.events[0]
        body = webhooks.body_of(event, webhooks.example_of(event), desk.clock.now())
        try:
            answer = send(webhook, str(uuid4()), body, rules=rules_here(), clock=desk.clock)
        except HomeostatError as error:
            return {"result": {"success": False, "error_message": f"Failed to test webhook: {error.message}"}}
        success = 200 <= answer.status < 300
        return {"result": {"success": success, "response_status": answer.status, "response_body": answer.body}}

    return Work(work)


def _check(url: str) -> None:
    """Refuse an address that would be refused when it is used. A name that has none yet may get one."""
    from homeostat.app.outbound import resolve
    from homeostat.app.webhooks import rules_here

    rules: OutboundRules = rules_here()
    target = target_of(url, rules)
    try:
        addresses = resolve(target.host, target.port)
    except Unreachable:
        return
    check_addresses(addresses, rules)


def _events(call: Call) -> tuple[str, ...]:
    found = call.fields.get("events")
    if found is None or found == []:
        call.text("events")  # raises what a missing one is answered with
    return tuple(dict.fromkeys(_event(each) for each in call.items("events")))


def _event(given: Json) -> str:
    entity, action = as_text(given.get("entity"), "entity"), as_text(given.get("action"), "action")
    event = f"{entity.lower()}.{action.lower()}"
    if event not in webhooks.EVENTS:
        raise invalid(f"'{event[:100]}' is not an event that webhooks hear of here: {', '.join(webhooks.EVENTS)}")
    return event


def _state(call: Call, *, default: bool) -> bool:
    given = call.text_or_none("status")
    if not given:
        return default
    if given not in _STATES:
        raise wrong("status", given)
    return _STATES[given]


def _written(webhook: Webhook) -> Json:
    """The webhook as clients read it. Its secret is not told."""
    events = [event.partition(".") for event in webhook.events]
    out: Json = {
        "webhook_id": webhook.webhook_id,
        "name": webhook.name,
        "url": webhook.url,
        "events": [{"entity": entity.upper(), "action": action.upper()} for entity, _, action in events],
        "status": "ACTIVE" if webhook.is_active else "DISABLED",
        "creation_timestamp": int(webhook.created.timestamp() * 1000),
        "last_updated_timestamp": int(webhook.updated.timestamp() * 1000),
    }
    return out | ({"description": webhook.description} if webhook.description else {})


ENDPOINTS = (
    Endpoint("POST", "webhooks", create, examples=_EXAMPLE),
    Endpoint("GET", "webhooks", list_),
    Endpoint("GET", "webhooks/{webhook_id}", get),
    Endpoint("PATCH", "webhooks/{webhook_id}", change, examples={**_EXAMPLE, "status": "DISABLED"}),
    Endpoint("DELETE", "webhooks/{webhook_id}", remove),
    Endpoint("POST", "webhooks/{webhook_id}/test", try_, examples={"event": _EVENT}),
)
