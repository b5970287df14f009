"""Moving versions in and out of traffic. Alias, route and audit event change in one transaction, so they never disagree."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from homeostat.audit.log import record
from homeostat.core.errors import Conflict, InvalidInput, NotAllowed, near
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.registry.versions import CHALLENGER, CHAMPION

PREVIOUS = "previous"


def promote(
    *,
    store: Store,
    model: str,
    version: int,
    actor: str,
    now: datetime,
    force: str | None = None,
    key: str | None = None,
) -> Route:
    """Make a version the champion and return the route that says so.

    Demands a passed gate report, or a reason in `force`, which the audit log keeps. With a `key` used before nothing moves.
    """
    with store.write() as tx:
        if key is not None and tx.audit.by_key(key) is not None:
            return _route(tx, model)
        return promote_in(tx, tx.models.get(model, version), actor=actor, now=now, force=force, key=key)


def promote_in(
    tx: Transaction,
    candidate: ModelVersion,
    *,
    actor: str,
    now: datetime,
    force: str | None = None,
    key: str | None = None,
) -> Route:
    """As `promote`, inside the caller's transaction."""
    _refuse_unproven(tx, candidate, force=force)
    return _crown(tx, candidate, kind="alias.moved", actor=actor, now=now, force=force, key=key)


def roll_back(*, store: Store, model: str, actor: str, now: datetime, reason: str, key: str | None = None) -> Route:
    """Put the previous champion back, the next time the one before that; raise Conflict where there is none."""
    with store.write() as tx:
        if key is not None and tx.audit.by_key(key) is not None:
            return _route(tx, model)
        champion = tx.models.alias(model, CHAMPION)
        previous = before_champion(tx, model)
        if previous is None:
            raise Conflict(
                f"model '{model}' has no champion older than version {champion} to go back to"
                if champion is not None
                else f"model '{model}' has no previous champion to go back to",
                hint="`homeostat models list` shows its versions, `homeostat models promote VERSION` puts any of them to work",
            )
        candidate = tx.models.get(model, previous)
        return _crown(tx, candidate, kind="alias.rolled_back", actor=actor, now=now, force=reason, key=key)


def before_champion(tx: Transaction, model: str) -> int | None:
    """Return the version that a roll-back puts in the champion's place, however it is; None where there is none."""
    # the alias knows it too, and goes with a model that gets another name, but is gone where its version was deleted
    return _previous(tx, model, tx.models.alias(model, CHAMPION)) or tx.models.alias(model, PREVIOUS)


def to_return_to(tx: Transaction, model: str) -> int | None:
    """Return the version that a roll-back would bring back, None where there is none, or where it was given up."""
    previous = tx.models.alias(model, PREVIOUS)
    return previous if previous is not None and tx.models.get(model, previous).health == "ok" else None


def was_brought_back(tx: Transaction, model: str) -> bool:
    """Return whether the champion came back by a roll-back, rather than being put to work anew."""
    moves = tx.audit.events(kinds=("alias.moved", "alias.rolled_back"), subject=f"model:{model}")
    of_champion = [event.kind for event in moves if event.payload["alias"] == CHAMPION]
    return of_champion[-1:] == ["alias.rolled_back"]


def send_traffic(
    *,
    store: Store,
    model: str,
    actor: str,
    now: datetime,
    shadow: int | None = None,
    canary: int | None = None,
    canary_percent: float = 0.0,
    because: str = "",
    force: str | None = None,
    key: str | None = None,
) -> Route:
    """Set which versions besides the champion see requests; none of them: the champion alone.

    A version that did not pass the gate needs `force` for any traffic. With a `key` used before nothing changes.
    """
    with store.write() as tx:
        if key is not None and tx.audit.by_key(key) is not None:
            return _route(tx, model)
        for version in (shadow, canary):
            if version is not None:
                _refuse_unproven(tx, tx.models.get(model, version), force=force)
        route = replace(_route(tx, model), shadow=shadow, canary=canary, canary_percent=canary_percent, since=now)
        if canary is not None and canary == route.champion:
            raise InvalidInput(f"version {canary} of '{model}' is the champion; a canary must be another version")
        return change_route(tx, route, actor=actor, now=now, because=because, force=force, key=key)


def set_rules(
    *,
    store: Store,
    model: str,
    actor: str,
    now: datetime,
    segments: Sequence[Segment] | None = None,
    split: Split | Literal["none"] | None = None,
    because: str = "",
    force: str | None = None,
    key: str | None = None,
) -> Route:
    """Set the segments, the split, or both (None: as they are; no segments, "none": take them away), and return the route.

    A segment stays when another champion is promoted; a split ends then. Conflict without a champion, who answers what no rule covers.
    """
    with store.write() as tx:
        if key is not None and tx.audit.by_key(key) is not None:
            return _route(tx, model)
        before = _route(tx, model)
        if before.champion is None:
            raise Conflict(f"model '{model}' has no champion yet", hint="`homeostat models promote` makes one")
        rules = replace(
            before,
            segments=before.segments if segments is None else tuple(segments),
            split=before.split if split is None else None if split == "none" else split,
            since=now,
        )
        for version in set(rules.versions) - set(before.versions):
            _refuse_unproven(tx, tx.models.get(model, version), force=force)
        for segment in rules.segments:
            _refuse_unknown_columns(segment, tx.models.get(model, segment.version))
        return change_route(tx, rules, actor=actor, now=now, because=because, force=force, key=key)


def change_route(
    tx: Transaction, route: Route, *, actor: str, now: datetime, because: str, force: str | None, key: str | None = None
) -> Route:
    """Put a route and its event, which tells the whole of it; return it with its generation."""
    stored = tx.routes.put(route)
    record(
        tx,
        "route.changed",
        subject=f"model:{route.model}",
        actor=actor,
        time=now,
        payload={**route_json(stored), "because": because, "force": force},
        key=key,
    )
    return stored


def take_back(*, store: Store, model: str, version: int, actor: str, now: datetime, reason: str, key: str) -> Route:
    """Take a version out of all traffic, once per `key`. Where it is the champion, the one before it is again, or none where it was the first."""
    with store.write() as tx:
        if tx.audit.by_key(key) is not None:
            return _route(tx, model)
        if tx.models.alias(model, CHALLENGER) == version:
            tx.models.set_alias(model, CHALLENGER, None)
        champion, previous = tx.models.alias(model, CHAMPION), tx.models.alias(model, PREVIOUS)
        told: dict[str, object]
        if champion != version:
            kind, told = "route.changed", {"because": reason, "force": None}
        else:
            champion = previous if previous != version else None
            tx.models.set_alias(model, CHAMPION, champion)
            kind, told = "alias.rolled_back", {"alias": CHAMPION, "from": version, "to": champion, "force": reason}
        left = _route(tx, model).without(version)
        left = left if champion is None else _crowned(left, champion)
        stored = tx.routes.put(replace(left, champion=champion, since=now))
        record(
            tx, kind, subject=f"model:{model}", actor=actor, time=now, payload={**route_json(stored), **told}, key=key
        )
        tx.models.set_alias(model, PREVIOUS, _previous(tx, model, champion))
        return stored


def _crown(
    tx: Transaction,
    candidate: ModelVersion,
    *,
    kind: str,
    actor: str,
    now: datetime,
    force: str | None,
    key: str | None,
) -> Route:
    model, version = candidate.model, candidate.version
    before = tx.models.alias(model, CHAMPION)
    if candidate.health != "ok":  # whoever puts it to work again gives it another chance
        tx.models.set_health(model, version, "ok")
    tx.models.set_alias(model, CHAMPION, version)
    if tx.models.alias(model, CHALLENGER) == version:
        tx.models.set_alias(model, CHALLENGER, None)
    kept = _crowned(_route(tx, model), version)
    route = tx.routes.put(replace(kept, shadow=None, canary=None, canary_percent=0.0, split=None, since=now))
    record(
        tx,
        kind,
        subject=f"model:{model}",
        actor=actor,
        time=now,
        payload={"alias": CHAMPION, "from": before, "to": version, "force": force, "generation": route.generation},
        key=key,
    )
    tx.models.set_alias(model, PREVIOUS, _previous(tx, model, version))
    return route


def _crowned(route: Route, champion: int) -> Route:
    """Return the route with a new champion: it needs no other place to be in. Segments of other versions stay."""
    return replace(route.without(champion), champion=champion)


def _previous(tx: Transaction, model: str, champion: int | None) -> int | None:
    """Return the version that was champion before the present one and is still there."""
    there = {version.version for version in tx.models.versions(model)}
    before = (version for version in reversed(_champions(tx, model)) if version != champion and version in there)
    return next(before, None)


def _champions(tx: Transaction, model: str) -> list[int]:
    """Return the champions that led to the present one, oldest first: a promotion adds one, a roll-back takes the newest away."""
    led: list[int] = []
    for event in tx.audit.events(kinds=("alias.moved", "alias.rolled_back"), subject=f"model:{model}"):
        told = event.payload
        if told["alias"] != CHAMPION:
            continue
        if not led and told["from"] is not None:
            led = [told["from"]]  # it had another name then
        if event.kind == "alias.rolled_back":
            while led and led[-1] != told["to"]:
                led.pop()
        if told["to"] is not None and led[-1:] != [told["to"]]:
            led.append(told["to"])
    return led


def _refuse_unproven(tx: Transaction, version: ModelVersion, *, force: str | None) -> None:
    _refuse_unservable(version)
    if force:
        return
    if version.report_id is None:
        raise NotAllowed(
            f"{version.model} version {version.version} has no gate report",
            hint="`homeostat check` makes one; --force REASON goes past it and is kept in the audit log",
        )
    if not tx.models.report(version.report_id).passed:
        raise NotAllowed(
            f"{version.model} version {version.version} did not pass the gate (report {version.report_id})",
            hint="`homeostat gate show` says why; --force REASON goes past it and is kept in the audit log",
        )


def _refuse_unservable(version: ModelVersion) -> None:
    """No reason makes a version answer that has no package, or of which nobody knows what it takes and answers."""
    which = f"{version.model}@{version.version}"
    if version.source and not version.digests:
        raise NotAllowed(
            f"{version.model} version {version.version} has no package on this server ({version.source[:200]})",
            hint="log the model to this server, and register it from there",
        )
    if version.source and "task" not in version.signature:
        raise NotAllowed(
            f"{version.model} version {version.version} was registered by a client and has not been through the gate",
            hint=f"`homeostat models adopt {which}` gates it and puts it to work",
        )


def _refuse_unknown_columns(segment: Segment, version: ModelVersion) -> None:
    known = [column["name"] for column in version.signature.get("columns", [])]
    for name in segment.when:
        if name != "key" and name not in known:
            raise InvalidInput(
                f"{version.model} version {version.version} has no feature '{name}' to route by",
                hint=near(name, known) or "`homeostat models show` lists its features",
            )


def _route(tx: Transaction, model: str) -> Route:
    return tx.routes.get(model) or Route(model=model, generation=0, champion=tx.models.alias(model, CHAMPION))


def route_json(route: Route) -> dict[str, object]:
    """Return what the audit log says of a route."""
    return {
        "champion": route.champion,
        "shadow": route.shadow,
        "canary": route.canary,
        "canary_percent": route.canary_percent,
        "generation": route.generation,
        **rules_json(route),
    }


def rules_json(route: Route) -> dict[str, object]:
    """Return the segments and the split of a route as JSON-ready values; nothing of what it does not have."""
    told: dict[str, Any] = {}
    if route.segments:
        told["segments"] = [{"when": dict(each.when), "version": each.version} for each in route.segments]
    if route.split is not None:
        shares = {str(version): share for version, share in route.split.shares.items()}
        told["split"] = {"shares": shares, "policy": route.split.policy}
        if route.split.policy != "fixed":
            told["split"] |= {"reward": route.split.reward, "floor": route.split.floor}
    return told
