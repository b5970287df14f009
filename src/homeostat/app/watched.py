"""What was seen of one model: what its page and the JSON twin of that are made of."""

from dataclasses import dataclass

from homeostat.app.status import ModelStatus, status
from homeostat.app.wiring import House
from homeostat.core.errors import NotFound, near
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.watching import Incident, WindowVerdict
from homeostat.watch.answered import answered_together
from homeostat.watch.profile.answers import AnswerSketch

_MOST_BESIDE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """`windows`: the newest ones, oldest first; `together`: the answers of all of them, of the newest version. `incidents`, `cycles`: newest first."""

    status: ModelStatus
    windows: list[WindowVerdict]
    together: AnswerSketch | None
    incidents: list[Incident]
    cycles: list[Cycle]


def watched(house: House, model: str, *, last: int) -> Watched:
    """Return what the `last` windows of a model showed; raise NotFound where there is no such model."""
    found = {one.model: one for one in status(house)}
    if model not in found:
        raise NotFound(f"no model '{model[:100]}'", hint=near(model, found))
    with house.store.read() as tx:
        windows = tx.watch.verdicts(model, limit=last)
        incidents = tx.incidents.recent(model, limit=_MOST_BESIDE)
        cycles = tx.cycles.recent(model, limit=_MOST_BESIDE)
    return Watched(
        status=found[model],
        windows=windows,
        together=answered_together(windows),
        incidents=incidents,
        cycles=cycles,
    )
