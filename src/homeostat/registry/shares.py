"""Moving the shares of a split that follows rewards."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.routes import Route
from homeostat.registry.routing import change_route


def move_shares(
    *, store: Store, route: Route, shares: Mapping[int, float], actor: str, now: datetime, because: str
) -> Route | None:
    """Give the versions of a route's split other shares; None where the route has changed since it was read."""
    with store.write() as tx:
        present = tx.routes.get(route.model)
        if present is None or present.generation != route.generation or present.split is None:
            return None
        moved = replace(present, split=replace(present.split, shares=dict(shares)))
        return change_route(tx, moved, actor=actor, now=now, because=because, force=None)


def split_began(tx: Transaction, route: Route) -> datetime | None:
    """Return since when all versions of the route's split have been in one that follows the same rewards, by the audit log."""
    if route.split is None:
        return None
    wanted, began = set(map(str, route.split.shares)), None
    for event in tx.audit.events(
        kinds=("route.changed", "alias.moved", "alias.rolled_back"), subject=f"model:{route.model}"
    ):
        told = event.payload.get("split") or {}
        is_same = told.get("policy") == "thompson" and told.get("reward") == route.split.reward
        began = (began or event.time) if is_same and wanted <= set(told["shares"]) else None
    return began
