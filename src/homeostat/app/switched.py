"""Waiting, for a command, until a change of routes is followed."""

import time

from homeostat.app.wiring import House
from homeostat.core.records.routes import Route
from homeostat.registry.workers import PATIENCE_S, await_workers


def switched(house: House, route: Route) -> list[str]:
    """Return the live workers when each has switched to the route; raise Unreachable where one cannot, see `await_workers`."""
    return await_workers(
        house.store,
        clock=house.clock,
        model=route.model,
        generation=route.generation,
        pause=time.sleep,
        patience_s=PATIENCE_S[house.project.serve.environments],
    )
