"""How each model is, in words."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from homeostat.app.wiring import House
from homeostat.core.ports.store import Transaction
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.routes import Route
from homeostat.core.records.watching import WindowVerdict
from homeostat.registry.health import UNHEALTHY
from homeostat.registry.versions import CHAMPION

_ALIVE = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelStatus:
    """`state`: `new` (no champion), `ok`, `warn`, `alarm`, `unknown` (nothing judged yet); `sentence` says it for people.

    `given_up`: why the newest version that was given up was, until a newer one is champion.
    `ready`: where there is no champion, the newest version, if it passed the gate.
    """

    model: str
    state: str
    champion: int | None
    route: Route | None
    cycle: Cycle | None
    window: WindowVerdict | None
    workers: int
    quarantined: int
    data_version: int | None
    time: datetime
    given_up: str | None = None
    ready: int | None = None

    @property
    def sentence(self) -> str:
        parts = [
            f"{self.model}: no version is champion yet{'' if self.ready is None else f', and version {self.ready} passed the gate'}"
            if self.champion is None
            else f"{self.model}: version {self.champion} answers"
        ]
        if self.route is not None and self.route.canary is not None:
            parts.append(f"version {self.route.canary} answers {self.route.canary_percent:g} % as canary")
        if self.route is not None and self.route.shadow is not None:
            parts.append(f"version {self.route.shadow} runs in its shadow")
        parts.append(
            f"{self.workers} worker{'s' if self.workers > 1 else ''} up" if self.workers else "no server is up"
        )
        if self.window is not None:
            told = self.window.body.get("verdict", {}).get("summary", self.window.state)
            parts.append(f"last window (to {self.window.window_end:%Y-%m-%d}): {told}")
        elif self.champion is not None:
            parts.append("no window has been judged yet")
        if self.cycle is not None and self.cycle.state.is_over:
            because = self.cycle.outcome.get("because", self.cycle.because)
            parts.append(f"last cycle {self.cycle.state.value.replace('_', ' ')}: {because}")
        elif self.cycle is not None:
            parts.append(f"a cycle is at '{self.cycle.stage}' ({self.cycle.because})")
        if self.given_up is not None:
            parts.append(f"given up: {self.given_up}")
        if self.quarantined:
            parts.append(f"{self.quarantined} batch{'es' if self.quarantined > 1 else ''} in quarantine")
        return "; ".join(parts)


def status(house: House) -> list[ModelStatus]:
    """Return one status per model of the project and of the registry."""
    now = house.clock.now()
    with house.store.read() as tx:
        names = sorted({house.project.model, *tx.models.models()})
        workers = len(tx.routes.workers(alive_since=now - _ALIVE))
        found = []
        for name in names:
            champion = tx.models.alias(name, CHAMPION)
            verdicts = tx.watch.verdicts(name, limit=1)
            recent = tx.cycles.recent(name, limit=1)
            held = [batch for batch in tx.datasets.quarantined(name) if batch.state == "held"]
            data = tx.datasets.latest(name)
            cycle, window, route = recent[0] if recent else None, verdicts[0] if verdicts else None, tx.routes.get(name)
            state = "new" if champion is None else (window.state if window else "unknown")
            found.append(
                ModelStatus(
                    model=name,
                    state=state,
                    champion=champion,
                    route=route,
                    cycle=cycle,
                    window=window,
                    workers=workers,
                    quarantined=len(held),
                    data_version=data.version if data else None,
                    time=now,
                    given_up=_given_up(tx, name, champion),
                    ready=_ready(tx, name) if champion is None else None,
                )
            )
    return found


def _given_up(tx: Transaction, model: str, champion: int | None) -> str | None:
    newest = [one for one in tx.models.versions(model) if one.version >= (champion or 0) and one.health == UNHEALTHY]
    if not newest:
        return None
    version = max(one.version for one in newest)
    events = tx.audit.events(kinds=("model_version.unhealthy",), subject=f"model:{model}")
    told = [str(event.payload["because"]) for event in events if event.payload["version"] == version]
    return f"version {version}: {told[-1]}" if told else f"version {version}"


def _ready(tx: Transaction, model: str) -> int | None:
    newest = next(reversed(tx.models.versions(model)), None)
    if newest is None or newest.report_id is None or not tx.models.report(newest.report_id).passed:
        return None
    return newest.version


def as_json(found: ModelStatus) -> dict[str, Any]:
    """Return the status as JSON-ready values."""
    return {
        "model": found.model,
        "state": found.state,
        "sentence": found.sentence,
        "champion": found.champion,
        "canary": found.route.canary if found.route else None,
        "canary_percent": found.route.canary_percent if found.route else 0.0,
        "shadow": found.route.shadow if found.route else None,
        "cycle": {"id": found.cycle.cycle_id, "state": found.cycle.state.value, "stage": found.cycle.stage}
        if found.cycle
        else None,
        "window": {"end": found.window.window_end.isoformat(), "state": found.window.state} if found.window else None,
        "workers": found.workers,
        "quarantined": found.quarantined,
        "data_version": found.data_version,
        "given_up": found.given_up,
        "time": found.time.isoformat(),
    }
