"""The project's policy over its own history: `homeostat backtest`."""

import shutil
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from homeostat.app.checking import check_names
from homeostat.app.wiring import House
from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput, JobFailed

if TYPE_CHECKING:
    import polars as pl

    from homeostat.retrain.backtest import Progress
    from homeostat.retrain.backtest_result import BacktestResult
    from homeostat.retrain.comparison import Terms


def backtest_project(
    house: House,
    *,
    policies: Sequence[str] = (),
    history: str | None = None,
    step: str | None = None,
    terms: "Terms | None" = None,
    is_fresh: bool = False,
    progress: "Callable[[Progress], None] | None" = None,
) -> "BacktestResult":
    """Return how the policies would have done over the project's data; by default never, always, every_5 and the project's own.

    The data are the newest committed version, or the source where there is none; nothing is committed. `history` and `step` are
    durations (`30d`) or numbers of rows. Finished replays are kept in `.homeostat/backtests`, unless the data, the settings or the code
    change; `is_fresh`: make them all anew.
    """
    from homeostat.retrain.backtest import policies_of
    from homeostat.retrain.backtest_children import backtest_in_children
    from homeostat.retrain.backtest_kept import Kept
    from homeostat.retrain.policies import named

    check_names(house.project)
    chosen = list(dict.fromkeys(map(named, policies)))
    spans = {name: None if text is None else span(text) for name, text in (("history", history), ("step", step))}
    frame = rows_of(house)
    workdir = house.workdir / f"backtest-{uuid4().hex}"
    try:
        found = backtest_in_children(
            frame,
            project=house.project,
            policies=policies_of(house.project, chosen),
            history=spans["history"],
            step=spans["step"],
            root=house.root,
            workdir=workdir,
            terms=terms,
            kept=None if is_fresh else Kept(house.workdir.parent / "backtests"),
            progress=progress,
        )
    finally:
        shutil.rmtree(workdir, ignore_errors=True)
    if not any(one.answered for one in found.policies):
        raise JobFailed(
            f"no model came of the history: {found.policies[0].start.because}",
            hint="try `homeostat train`: it says more",
        )
    return found


def rows_of(house: House) -> "pl.DataFrame":
    """Return the rows of the newest data version, as learned from; those of the source where none is committed."""
    from homeostat.data.sources import read
    from homeostat.data.versions import load
    from homeostat.retrain.capture import settled

    data = house.project.data
    with house.store.read() as tx:
        latest = tx.datasets.latest(house.project.model)
    if latest is None:
        return read(data.source, query=data.query, root=house.root)
    return settled(load(store=house.store, tables=house.tables, dataset=house.project.model)[1])


def span(text: str) -> timedelta | int:
    """Return a duration, or a number of rows.

    >>> span("7d"), span("500")
    (Duration(days=7), 500)
    """
    if text.strip().isdecimal():
        if not int(text):
            raise InvalidInput("0 rows are no span", hint="write a number of rows, or a duration: 30d")
        return int(text)
    return Duration.parse(text)
