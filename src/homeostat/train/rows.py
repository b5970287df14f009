"""Which rows a model is trained on."""

import polars as pl

from homeostat.core.columns import Roles
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.train.settings import TrainSettings


def labelled(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Return the rows whose target is known."""
    known = pl.col(target).is_not_null()
    if frame[target].dtype.is_float():
        known &= pl.col(target).is_not_nan()
    return frame.filter(known)


def training_rows(frame: pl.DataFrame, *, roles: Roles, settings: TrainSettings) -> pl.DataFrame:
    """Return the labelled rows within `window` of the newest of them, at most `max_rows` of them, oldest first where there is a time.

    Too many rows: the newest stay where there is a time, a seeded sample else. Doing it twice changes nothing. Raises NotEnoughData
    where no row is left.
    """
    rows = labelled(frame, roles.target)
    if roles.time is not None:
        rows = rows.sort(roles.time, maintain_order=True)
    if settings.window is not None and len(rows):
        if roles.time is None:
            raise InvalidInput("train.window needs a time column", hint="set data.time, or use train.max_rows")
        newest = rows[roles.time].max()
        rows = rows.filter(pl.col(roles.time) > newest - pl.lit(settings.window, dtype=pl.Duration("us")))
    if settings.max_rows is not None and len(rows) > settings.max_rows:
        if roles.time is None:
            rows = rows.sample(settings.max_rows, seed=settings.seed)
        else:
            rows = rows.tail(settings.max_rows)
    if rows.is_empty():
        raise NotEnoughData(
            f"none of {len(frame)} rows can be trained on: '{roles.target}' is null in all that are left",
            hint="wait for labels, or look at data.target and train.window",
        )
    return rows
