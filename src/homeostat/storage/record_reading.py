"""Reading the record: what tables and segments hold together, all of it or the rows of requests drawn by their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING

from homeostat.storage.delta_log import snapshot
from homeostat.storage.record_rows import VALUE, columns_of, decoded, identity_of, kept_schema_of, model_of, rows_of
from homeostat.storage.record_tables import RecordTables

if TYPE_CHECKING:
    import polars as pl

_SEED = 20_260_731  # any: of one draw
# bytes of segments that a draw reads; what is in others is moved into the table within a minute or two
_MOST_FRESH = 32 << 20
_BYTES_OF_A_ROW = {"predictions": 400, "labels": 150}  # of a segment, about


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows, and what of them."""

    since: datetime | None = None
    until: datetime | None = None
    columns: Sequence[str] | None = None
    share: float = 1.0
    of: "pl.DataFrame | None" = None

    @property
    def is_part(self) -> bool:
        return self.share < 1 or self.of is not None

    def among(self, rows: "pl.LazyFrame") -> "pl.LazyFrame":
        import polars as pl

        if self.since is not None:
            rows = rows.filter(pl.col("received") >= self.since)
        if self.until is not None:
            rows = rows.filter(pl.col("received") <= self.until)
        if self.share < 1:  # all rows of a key: which of them a label belongs to depends on the others
            drawn = pl.coalesce("key", "request_id").hash(_SEED)
            rows = rows.filter(drawn < pl.lit(int(self.share * 2**64), dtype=pl.UInt64))
        if self.of is not None:
            named = [
                pl.col(name).is_in(self.of[name].drop_nulls().unique().implode()) for name in ("request_id", "key")
            ]
            rows = rows.filter(pl.any_horizontal(named))
        return rows


def read_rows(tables: RecordTables, kind: str, model: str, wanted: Wanted) -> "pl.DataFrame":
    """Return rows in order of receipt, ids not repeated; raise FileNotFoundError where the table's files were removed meanwhile."""
    import polars as pl

    known = columns_of(kind)
    columns = wanted.columns
    assert known.issuperset(columns or ())
    told = [name for name in kept_schema_of(kind) if name != "seq" and (columns is None or name in columns)]
    needed = {*told, *_identifying(kind)}
    place = tables.place(kind, model_of(model))
    # segments before the table: what is moved meanwhile is seen twice, and left out once
    fresh = tables.unmoved(kind, model, most=_MOST_FRESH if wanted.is_part else None)
    table = snapshot(place)
    moved = {} if table is None else table.transactions
    kept = [blocks for n, blocks in fresh if n.number > moved.get(n.incarnation, 0)]
    unmoved = rows_of(kind, chain.from_iterable(kept))
    parts = [unmoved.lazy()]
    if table is not None and table.files:
        files = [place / name for name in table.files]
        parts.insert(0, pl.scan_parquet(files, schema=kept_schema_of(kind), glob=False, missing_columns="insert"))
    found = [wanted.among(part).select(name for name in unmoved.columns if name in needed) for part in parts]
    everything = pl.concat(pl.collect_all(found, engine="streaming" if wanted.is_part else "auto"))
    everything = everything.sort("received", "seq", maintain_order=True)
    everything = everything.unique(subset=identity_of(kind), keep="first", maintain_order=True).select(told)
    value = VALUE[kind]
    return everything.with_columns(decoded(everything[value])) if value in told else everything


def count_rows(tables: RecordTables, kind: str, model: str, *, since: datetime | None) -> int:
    """Return about how many rows there are."""
    import polars as pl

    columns_of(kind)
    scan = tables.frame(kind, model_of(model))
    kept = Wanted(since=since).among(scan).select(pl.len()).collect(engine="streaming").item()
    return int(kept) + tables.unmoved_bytes(kind, model) // _BYTES_OF_A_ROW[kind]


def _identifying(kind: str) -> set[str]:
    names = {"labels": {"label_id", "request_id"}, "predictions": {"request_id", "row", "route", "version"}}
    return names[kind] | {"received", "seq"}
