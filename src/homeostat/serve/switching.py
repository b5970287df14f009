"""Switching a plane from another thread, for as long as nothing newer is wanted."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeostat.core.records.routes import Route

if TYPE_CHECKING:
    from homeostat.serve.plane import Plane

_LOOK_S = 0.1


class Superseded(Exception):
    """A newer route came while the versions of this one were loaded: they are loaded no further."""


def never() -> bool:
    return False


@dataclass(eq=False)
class OnLoop:
    """A plane that lives on an event loop, as other threads see it."""

    plane: "Plane"
    loop: asyncio.AbstractEventLoop

    @property
    def routes(self) -> dict[str, Route]:
        return self.plane.routes

    def switch(
        self,
        route: Route,
        *,
        standby: int | None = None,
        trusted: int | None = None,
        is_superseded: Callable[[], bool] = never,
    ) -> None:
        """Switch, and return when it is done; raise what `Switchboard.switch` raises.

        While versions load, `is_superseded` is asked ten times a second: a roll-back need not wait for what it rolls back. Then the loading
        is ended, the plane answers as it did, and Superseded is raised.
        """
        work = self.plane.switchboard.switch(route, standby=standby, trusted=trusted)
        switching = asyncio.run_coroutine_threadsafe(work, self.loop)
        while True:
            try:
                return switching.result(_LOOK_S)
            except TimeoutError:
                if switching.done():
                    return switching.result()
                if is_superseded() and switching.cancel():
                    raise Superseded from None
