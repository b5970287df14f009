"""Which rows of a data version are learned from. Pure."""

import polars as pl

from homeostat.core.columns import Roles
from homeostat.core.errors import NotEnoughData
from homeostat.train.settings import TrainSettings

LEAST_ROWS = 20


def learnable(frame: pl.DataFrame, *, roles: Roles, settings: TrainSettings) -> pl.DataFrame:
    """Return the labelled rows inside the training window, oldest first where there is a time column.

    The window and `max_rows` are counted back from the newest labelled row. Raises NotEnoughData below 20 rows.
    """
    rows = frame.filter(pl.col(roles.target).is_not_null())
    if rows[roles.target].dtype.is_float():
        rows = rows.filter(pl.col(roles.target).is_not_nan())
    if roles.time is not None:
        rows = rows.filter(pl.col(roles.time).is_not_null()).sort(roles.time, maintain_order=True)
        if settings.window is not None and rows.height:
            newest = rows[roles.time].max()
            rows = rows.filter(pl.col(roles.time) > pl.lit(newest) - settings.window)
    if settings.max_rows is not None:
        rows = rows.tail(settings.max_rows)
    if rows.height < LEAST_ROWS:
        raise NotEnoughData(
            f"{rows.height} labelled rows to learn from, {LEAST_ROWS} are the least",
            hint="wait for labels, or widen train.window",
        )
    return rows
