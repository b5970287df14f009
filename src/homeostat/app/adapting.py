"""Splits that follow rewards: new labels move shares towards the version that is probably the best."""

from datetime import datetime, timedelta

from homeostat.app.wiring import House
from homeostat.core.records.routes import Route
from homeostat.registry.shares import move_shares, split_began
from homeostat.serve.thompson import probability_best, shares
from homeostat.train.signature import from_json
from homeostat.watch.drawing import drawn
from homeostat.watch.rewards import rewards_of

LEAST_MOVE = 1.0  # per cent: what is less is no change worth a switch of every worker and a line in the audit log
_EARLIER = timedelta(days=1)  # a label by key belongs to that key's newest row, which may be older than the split


def follow_rewards(house: House, *, now: datetime) -> Route | None:
    """Recompute the shares of the model's split and return the route that has them; None where nothing is to be changed."""
    model = house.project.model
    with house.store.read() as tx:
        route = tx.routes.get(model)
        if route is None or route.split is None or route.split.policy != "thompson" or route.champion is None:
            return None
        began = split_began(tx, route)
        signature = from_json(tx.models.get(model, route.champion).signature)
    if began is None:
        return None
    since = began - max(house.project.data.label_delay, _EARLIER)
    read = drawn(house.records, model, since=since, most=house.project.watch.max_rows)
    found = rewards_of(
        read.predictions,
        read.labels,
        route=route,
        split=route.split,
        task=signature.task,
        classes=signature.classes,
        since=began,
    )
    best = probability_best(found.arms, kind=found.kind)
    moved = shares(best, floor=route.split.floor)
    if max(abs(moved[version] - share) for version, share in route.split.shares.items()) < LEAST_MOVE:
        return None
    told = "; ".join(
        f"version {version}: {arm.n} rewards, best with probability {best[version]:.3f}"
        for version, arm in found.arms.items()
    )
    return move_shares(store=house.store, route=route, shares=moved, actor=house.actor, now=now, because=told)
