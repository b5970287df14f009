"""Many rows, of one request or of several that were evaluated together, as one line of the record: what they share once, their values as arrays.

A row a line says everything anew for each row, with the name of every column; writing that took longer than answering. Whoever reads the
record sees rows all the same: `storage.bulk` takes such lines apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True, kw_only=True)
class Bulk:
    """`bulk` rows. `common`: the first of them, its `seq` and `row`, from which the others count on, and what all share.

    `request_ids`, `rows`: of each row, where they are of several requests.
    `columns`: names of the features, none for rows without. `numbers`: float64 as this machine has them, row by row, NaN for null; `values`:
    rows of plain values, where not all are floats. `predictions`: a JSON value each; `scores`: float64, row by row. `keys`, `event_times`:
    where rows have some of their own. As JSON (bytes in base64) `bulk` comes first: it tells such a line.
    """

    bulk: int
    common: Any
    columns: Sequence[str] = ()
    numbers: bytes | None = None
    values: Sequence[Sequence[Any]] | None = None
    predictions: Sequence[Any] | None = None
    scores: bytes | None = None
    keys: Sequence[str | None] | None = None
    event_times: Sequence[int | None] | None = None
    request_ids: Sequence[str] | None = None
    rows: Sequence[int] | None = None
