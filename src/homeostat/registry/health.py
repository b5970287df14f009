"""Versions whose process dies, hangs or outgrows its memory again and again: told by the worker, and taken out of traffic."""

from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict
from homeostat.core.ports.store import Store
from homeostat.core.records.routes import Route
from homeostat.registry.routing import before_champion, roll_back, take_back
from homeostat.registry.versions import CHAMPION

OK, UNHEALTHY = "ok", "unhealthy"


def tell_unhealthy(store: Store, *, model: str, version: int, reason: str, worker_id: str, now: datetime) -> None:
    """Note that a worker has given a version up. The first word counts until the version answers again or is promoted again."""
    with store.write() as tx:
        if tx.models.get(model, version).health == UNHEALTHY:
            return
        tx.models.set_health(model, version, UNHEALTHY)
        record(
            tx,
            "model_version.unhealthy",
            subject=f"model:{model}",
            actor=worker_id,
            time=now,
            payload={"version": version, "because": reason},
        )


def tell_recovered(store: Store, *, model: str, version: int, worker_id: str, now: datetime) -> None:
    """Note that a champion that was given up answers again, where it has nobody to take its place. Any other version is taken out of traffic all the same."""
    with store.write() as tx:
        is_sole = tx.models.alias(model, CHAMPION) == version and before_champion(tx, model) is None
        if tx.models.get(model, version).health != UNHEALTHY or not is_sole:
            return
        tx.models.set_health(model, version, OK)
        record(
            tx,
            "model_version.recovered",
            subject=f"model:{model}",
            actor=worker_id,
            time=now,
            payload={"version": version},
        )


def why_unhealthy(store: Store, *, model: str, version: int) -> str | None:
    """Return why a version was given up, None where it was not."""
    with store.read() as tx:
        if tx.models.get(model, version).health != UNHEALTHY:
            return None
        events = tx.audit.events(kinds=("model_version.unhealthy",), subject=f"model:{model}")
    told = [str(event.payload["because"]) for event in events if event.payload["version"] == version]
    return told[-1] if told else "its process was given up"


def replace_unhealthy_champion(*, store: Store, model: str, actor: str, now: datetime) -> Route | None:
    """Put the champion before in the place of one that was given up; None where there is nothing to do, or nobody to put there."""
    with store.read() as tx:
        champion, route = tx.models.alias(model, CHAMPION), tx.routes.get(model)
    if champion is None or (reason := why_unhealthy(store, model=model, version=champion)) is None:
        return None
    # two that see it at once go one step back, not two
    key = f"{model}:{0 if route is None else route.generation}:{champion}:unhealthy"
    try:
        return roll_back(
            store=store, model=model, actor=actor, now=now, reason=f"version {champion}: {reason}", key=key
        )
    except Conflict:  # it is the first one: half an answer is better than none, and its process is tried again
        return None


def take_unhealthy_out(*, store: Store, model: str, actor: str, now: datetime) -> list[int]:
    """Take the versions that were given up out of segments and shares, and return them; the champion answers what was theirs.

    A canary or shadow is its cycle's to take back.
    """
    with store.read() as tx:
        route = tx.routes.get(model)
    if route is None:
        return []
    ruled = {segment.version for segment in route.segments} | set(route.split.shares if route.split else ())
    out = []
    for version in sorted(ruled - {route.champion}):
        if (reason := why_unhealthy(store, model=model, version=version)) is not None:
            key = f"{model}:{route.generation}:{version}:unhealthy"
            take_back(store=store, model=model, version=version, actor=actor, now=now, reason=reason, key=key)
            out.append(version)
    return out
