"""Labelled rows that a version has not learned from, kept beside its reference: what estimates without labels are made from."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind, Task
from homeostat.core.errors import InvalidInput
from homeostat.core.ports.store import Transaction
from homeostat.core.values import Json
from homeostat.track.metric import class_indices
from homeostat.track.predictions import Predictions
from homeostat.watch.methods import sample_kind

MOST_ROWS = 5_000
_NUMBERS = pl.List(pl.Float64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """At most 5,000 rows, spread evenly: `features` (numbers and categories only, and columns of groups), and what was answered and true.

    `said`, `truth` of shape (n_rows,): places of classes, or numbers; `scores` (n_rows, n_classes) or None.
    """

    features: pl.DataFrame
    said: npt.NDArray[Any]
    truth: npt.NDArray[Any]
    scores: npt.NDArray[np.float64] | None = None

    def to_json(self) -> Json:
        """Return JSON-ready values, which `from_json` reads: the rows as compressed Arrow."""
        columns = {
            "said": pl.Series("said", self.said, dtype=pl.Float64),
            "truth": pl.Series("truth", self.truth, dtype=pl.Float64),
        }
        if self.scores is not None:
            columns["scores"] = pl.Series("scores", self.scores.tolist(), dtype=_NUMBERS)
        frame = pl.DataFrame(
            [*columns.values(), *(self.features[name].alias(f"x:{name}") for name in self.features.columns)]
        )
        buffer = io.BytesIO()
        frame.write_ipc(buffer, compression="zstd")
        return {"rows": base64.b64encode(buffer.getvalue()).decode("ascii")}

    @classmethod
    def from_json(cls, found: Json) -> "Baseline":
        """Return the rows; raise InvalidInput where `found` holds none."""
        try:
            frame = pl.read_ipc(io.BytesIO(base64.b64decode(found["rows"], validate=True)))
            features = frame.select(pl.col("^x:.*$").name.map(lambda name: name.removeprefix("x:")))
            scores = np.asarray(frame["scores"].to_list(), dtype=np.float64) if "scores" in frame.columns else None
            said, truth = frame["said"].to_numpy(), frame["truth"].to_numpy()
        except (KeyError, ValueError, TypeError, OSError, pl.exceptions.PolarsError) as error:
            raise InvalidInput(
                f"these are no rows of a reference: {error}", hint="register the version again from its run"
            ) from error
        return cls(features=features, said=said, truth=truth, scores=scores)


def baseline_of(
    test_frame: pl.DataFrame,
    y: npt.NDArray[Any],
    predictions: Predictions,
    *,
    kinds: Mapping[str, Kind],
    task: Task,
    most: int = MOST_ROWS,
) -> Baseline:
    """Return the rows to keep of held-out ones. Rows whose true class the model does not know are left out."""
    said, truth = places(predictions, y, task)
    known = np.flatnonzero((truth >= 0) & (said >= 0) if task is not Task.REGRESSION else np.isfinite(truth + said))
    kept = known[np.linspace(0, len(known) - 1, min(len(known), most)).astype(int)]
    columns = [
        test_frame[name].cast(pl.Float64 if sample_kind(kind) == "number" else pl.String, strict=False)
        for name, kind in kinds.items()
        if sample_kind(kind) is not None and not test_frame[name].dtype.is_nested()
    ]
    return Baseline(
        features=pl.DataFrame(columns)[kept] if columns else pl.DataFrame(),
        said=said[kept],
        truth=truth[kept],
        scores=None if predictions.scores is None else predictions.scores[kept],
    )


def places(predictions: Predictions, y: npt.NDArray[Any], task: Task) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return what was answered and what is true as numbers: places of classes (-1 for one the model does not know), or the numbers themselves."""
    if task is Task.REGRESSION:
        return predictions.labels.astype(np.float64), np.asarray(y, dtype=np.float64)
    return class_indices(predictions.labels, predictions.classes), class_indices(y, predictions.classes)


def keep_baseline(tx: Transaction, model: str, version: int, baseline: Baseline) -> None:
    """Store the rows of a version, replacing what was kept for that version."""
    tx.watch.set_state(_name(model, version), baseline.to_json())


def kept_baseline(tx: Transaction, model: str, version: int) -> Baseline | None:
    """Return the rows kept for a version, None where there are none (it was registered before rows were kept)."""
    found = tx.watch.get_state(_name(model, version))
    return None if found is None else Baseline.from_json(found)


def _name(model: str, version: int) -> str:
    return f"baseline:{model}:{version}"
