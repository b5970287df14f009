"""What a live cycle tells the trainer of a stack: the champion's package, what it had seen, and what was spent since."""

from datetime import datetime

import polars as pl

from homeostat.core.ports.store import Store
from homeostat.core.records.cycles import CycleState
from homeostat.core.records.tracking import Run
from homeostat.data.versions import load
from homeostat.registry.versions import package_of
from homeostat.retrain.capture import settled
from homeostat.retrain.learnable import learnable
from homeostat.retrain.renewal import Terms
from homeostat.retrain.stacking import FITTED, GIVEN, settings_of_cycle, widened
from homeostat.retrain.workshop import Workshop
from homeostat.train.recorded import settings_from_json
from homeostat.train.settings import TrainSettings

_LOOK_BACK = 50  # cycles


def stacked_settings(
    shop: Workshop, settings: TrainSettings, *, number: int, cycle_id: str, store: Store
) -> TrainSettings:
    """Return the settings with which a cycle renews the champion's stack on a data version; as they are where there is no champion.

    Raises NotEnoughData where too few labelled rows are newer than those of the champion's data version.
    """
    champion, time = shop.champion(), shop.project.data.time
    known = None if champion is None else champion.lineage.get("dataset_version")
    if champion is None or known is None or time is None:
        return settings
    seen_until = _rows(shop, int(known), settings)[time].max()
    settings = widened(settings, rows=_rows(shop, number, settings).height)
    rows = _rows(shop, number, settings)
    assert isinstance(seen_until, datetime)
    given = {
        "package": str(package_of(champion, blobs=shop.blobs).resolve()),
        "signature": champion.signature,
        "seen_until": seen_until.isoformat(),
        "trained_rows": int(champion.lineage.get("trained_rows", rows.height)),
        "time": time,
        "spent": spent_since_promotion(store, shop.project.model, cycle_id=cycle_id),
    }
    new = rows.filter(pl.col(time) > seen_until).height
    return settings_of_cycle(settings, new=new, total=rows.height, given=given)


def recorded_settings(run: Run, otherwise: TrainSettings) -> TrainSettings:
    """Return the settings that a run of a stack was trained with, of another run `otherwise`: its split must not be cut anew."""
    recorded = run.facts.get("settings")
    if recorded is None or GIVEN not in recorded.get("params", {}):
        return otherwise
    return settings_from_json(recorded)


def spent_since_promotion(store: Store, model: str, *, cycle_id: str) -> float:
    """Return how many members were fitted by cycles that came to nothing since the last promotion, less the budget that these earned.

    The champion, whose package holds the state of the renewal, does not know of them.
    """
    spent = 0.0
    with store.read() as tx:
        for cycle in tx.cycles.recent(model, limit=_LOOK_BACK):
            if cycle.state is CycleState.PROMOTED:
                break
            run = tx.runs.find(cycle.run_id) if cycle.run_id and cycle.cycle_id != cycle_id else None
            if run is not None:
                spent += (run.params.get(FITTED) == str(True)) - Terms().budget
    return spent


def _rows(shop: Workshop, number: int, settings: TrainSettings) -> pl.DataFrame:
    _, frame = load(store=shop.store, tables=shop.tables, dataset=shop.project.model, version=number)
    return learnable(settled(frame), roles=shop.project.data.roles, settings=settings)
