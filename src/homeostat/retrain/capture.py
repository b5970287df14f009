"""Captured rows: what was asked in production, with the truth that came later, as new rows of the data set."""

from collections.abc import Iterable

import polars as pl

from homeostat.core.columns import Kind, Roles, Signature
from homeostat.data.cast import DTYPES, cast
from homeostat.serve.record import features_frame
from homeostat.watch.groups import told_groups
from homeostat.watch.join import join

MARK = "_homeostat_request"
PRODUCTION = "production"  # the source of captured rows


def captured(
    predictions: pl.DataFrame,
    labels: pl.DataFrame,
    *,
    signature: Signature,
    roles: Roles,
    schema: dict[str, pl.DataType],
    known: Iterable[pl.DataFrame] = (),
) -> pl.DataFrame:
    """Return the labelled rows that the data set does not hold yet, in the types of `schema` (its columns).

    `known`: earlier captures, added or set aside, with their columns MARK and target. A row whose label was corrected since comes again; `learnable` keeps the
    newest. Excluded columns were never asked for: they are null, but for those that labels brought (`watch.groups`).
    """
    joined = join(predictions, labels, task=signature.task, classes=signature.classes).frame
    found = joined.filter(pl.col("label").is_not_null())
    frame = features_frame(found, signature).with_columns(
        found["label"].alias(roles.target),
        pl.concat_str([found["request_id"], found["row"].cast(pl.String)], separator=":").alias(MARK)
        if found.height
        else pl.lit(None, dtype=pl.String).alias(MARK),
    )
    if roles.time is not None:
        frame = frame.with_columns(found["time"].alias(roles.time))
    if len(roles.key) == 1:
        frame = frame.with_columns(found["key"].alias(roles.key[0]))
    beside = {name: kind for name, kind in _kinds(schema).items() if name in roles.exclude}
    brought = told_groups(found["groups"], beside)
    frame = frame.with_columns(cast(brought[name], kind).values for name, kind in beside.items())
    typed = frame.select(
        *[
            (pl.col(name) if name in frame.columns else pl.lit(None)).cast(dtype, strict=False).alias(name)
            for name, dtype in schema.items()
            if name != MARK
        ],
        pl.col(MARK),
    )
    for earlier in known:
        if MARK not in earlier.columns:
            continue
        seen = earlier.filter(pl.col(MARK).is_not_null()).unique(MARK, keep="last", maintain_order=True)
        typed = typed.join(
            seen.select(MARK, pl.col(roles.target).cast(typed.schema[roles.target])),
            on=[MARK, roles.target],
            how="anti",
            nulls_equal=True,
            maintain_order="left",
        )
    return typed


def _kinds(schema: dict[str, pl.DataType]) -> dict[str, Kind]:
    kinds = {dtype: kind for kind, dtype in DTYPES.items() if kind is not Kind.TEXT}
    return {name: kinds[dtype] for name, dtype in schema.items() if dtype in kinds}


def settled(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of a data version with corrected ones in their newest form, without the mark of captured rows."""
    if MARK not in frame.columns:
        return frame
    fixed = frame.filter(pl.col(MARK).is_null())
    asked = frame.filter(pl.col(MARK).is_not_null()).unique(MARK, keep="last", maintain_order=True)
    return pl.concat([fixed, asked]).drop(MARK)
