"""Whether a compiled model may answer in place of the original: the same rows to both, the held-out ones and the awkward ones."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.track.predictions import Predictions
from homeostat.train.compiled.session import CompiledModel

TOLERANCE = 1e-6  # of a probability; of a number, relative to the spread of the answers
MOST_ROWS = 20_000
_EDGES: dict[Kind, list[Any]] = {
    Kind.FLOAT: [0.0, -0.0, 1e-300, 1e30, -1e30, 1.7e308],
    Kind.INTEGER: [0, -1, 2**31, -(2**53)],
    Kind.BOOLEAN: [True, False],
    Kind.CATEGORY: ["", "never seen before", "\u2028ünïcode"],
    Kind.TEXT: ["", "x" * 5000, "🙂"],
    Kind.DATETIME: [datetime(1969, 12, 31, 23, 59, tzinfo=UTC), datetime(2100, 2, 28, tzinfo=UTC)],
}


@dataclass(frozen=True, slots=True)
class FrameRows:
    """A table of Polars as the compiled model takes rows."""

    frame: pl.DataFrame

    @property
    def height(self) -> int:
        return self.frame.height

    def matrix(self) -> npt.NDArray[np.float64]:
        return self.frame.cast(pl.Float64).to_numpy()

    def rows(self) -> list[tuple[Any, ...]]:
        return self.frame.rows()


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept beside the version. `worst`: the greatest difference, in units of the tolerance's scale, and `worst_row`, as JSON, where it was."""

    is_used: bool
    because: str
    converter: str | None = None
    tolerance: float = TOLERANCE
    rows: int = 0
    edge_rows: int = 0
    worst: float | None = None
    worst_row: dict[str, Any] | None = None
    labels_differ: int = 0
    versions: dict[str, str] = {}


@dataclass(slots=True)
class _Worst:
    difference: float = 0.0
    row: dict[str, Any] | None = None
    labels: int = 0
    rows: int = field(default=0)


def compare(
    compiled: CompiledModel,
    original: Callable[[pl.DataFrame], Predictions],
    held_out: pl.DataFrame,
    signature: Signature,
) -> tuple[_Worst, int]:
    """Return the worst that was found over the held-out rows and the edges, and how many edges there were.

    Numbers are compared relative to their size, or to the spread of the held-out answers where that is greater. Edges on which the original
    has no finite answer itself say nothing.
    """
    sample = held_out.head(MOST_ROWS)
    edges = edge_rows(sample, signature)
    worst = _Worst()
    scale = 1.0
    for frame in (sample, edges):
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # extremes overflow in the original, as they should
            wanted, taken = _answered(original, frame)
            if not taken.height:
                continue
            said = compiled.answer(FrameRows(taken))
            if signature.task is Task.REGRESSION:
                scale = float(np.std(wanted.labels)) or 1.0 if frame is sample else scale
                is_sound = np.isfinite(wanted.labels)
                differences = np.abs(said.labels - wanted.labels) / np.maximum(np.abs(wanted.labels), scale)
            else:
                differences, is_sound = _of_scores(said, wanted)
                worst.labels += int(np.sum((said.labels != wanted.labels) & is_sound))
        differences = np.where(is_sound, np.where(np.isnan(differences), np.inf, differences), 0.0)
        at = int(differences.argmax())
        worst.rows += taken.height
        if differences[at] > worst.difference or worst.row is None:
            worst.difference = float(differences[at])
            worst.row = {name: _plain(value) for name, value in taken.row(at, named=True).items()}
    return worst, min(edges.height, worst.rows)


def _answered(original: Callable[[pl.DataFrame], Predictions], frame: pl.DataFrame) -> tuple[Predictions, pl.DataFrame]:
    """Return the original's answers, and the rows that it gave any to: one that refuses a row has nothing to agree with."""
    try:
        return original(frame), frame
    except Exception:  # noqa: BLE001 - border: the model's code raises what it likes at rows that nobody has sent yet
        kept = [at for at in range(frame.height) if _takes(original, frame.slice(at, 1))]
    taken = frame[kept]
    return original(taken), taken


def _takes(original: Callable[[pl.DataFrame], Predictions], row: pl.DataFrame) -> bool:
    try:
        original(row)
    except Exception:  # noqa: BLE001 - border, as above
        return False
    return True


def _of_scores(said: Predictions, wanted: Predictions) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    if said.scores is None or wanted.scores is None:
        return np.zeros(len(wanted)), np.ones(len(wanted), dtype=np.bool_)
    is_sound: npt.NDArray[np.bool_] = np.isfinite(wanted.scores.sum(axis=1))
    return np.abs(said.scores - wanted.scores).max(axis=1), is_sound


def edge_rows(sample: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Return rows with one awkward value each: nulls, extremes, unseen categories, and the neighbours of values that were seen."""
    base = sample.row(0)
    rows = []
    for at, column in enumerate(signature.columns):
        awkward = _awkward(sample[column.name], column)
        rows += [(*base[:at], value, *base[at + 1 :]) for value in awkward]
    if all(column.nullable for column in signature.columns):
        rows.append((None,) * len(base))
    return pl.DataFrame(rows, schema=sample.schema, orient="row") if rows else sample.clear()


def _awkward(values: pl.Series, column: Column) -> list[Any]:
    found: list[Any] = [*_EDGES[column.kind], *([None] if column.nullable else [])]
    if column.kind is Kind.FLOAT:
        seen = values.drop_nulls().unique().sort().head(200).to_list()
        middles = [(low + high) / 2 for low, high in pairwise(seen)][:20]
        for value in [*seen[:10], *middles]:
            found += [np.nextafter(value, -np.inf), value, np.nextafter(value, np.inf), float(np.float32(value))]
    if column.kind is Kind.INTEGER:
        found += [value + step for value in values.drop_nulls().unique().head(5).to_list() for step in (-1, 0, 1)]
    return found


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
