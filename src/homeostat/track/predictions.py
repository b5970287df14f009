"""What a model answered for some rows, in one shape for every kind of model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Labels of shape (n_rows,): classes, or numbers for regression.

    `scores` of shape (n_rows, n_classes): probabilities in the order of `classes`, or None where the model gives none.
    In binary tasks `classes[1]` is the positive class.
    """

    labels: npt.NDArray[Any]
    scores: npt.NDArray[np.float64] | None = None
    classes: tuple[Any, ...] = ()

    def __post_init__(self) -> None:
        if self.scores is not None and self.scores.shape != (len(self.labels), len(self.classes)):
            raise ValueError(
                f"scores have shape {self.scores.shape}, wanted {(len(self.labels), len(self.classes))} (rows, classes)"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: npt.NDArray[Any]) -> "Predictions":
        """Return the predictions of some rows, by index or boolean mask."""
        scores = None if self.scores is None else self.scores[rows]
        return Predictions(labels=self.labels[rows], scores=scores, classes=self.classes)

    def to_frame(self) -> "pl.DataFrame":
        """Return columns `prediction` and, where there are scores, `scores` (a list per row)."""
        import polars as pl

        columns: dict[str, Any] = {"prediction": pl.Series("prediction", self.labels.tolist())}
        if self.scores is not None:
            columns["scores"] = pl.Series("scores", self.scores.tolist(), dtype=pl.List(pl.Float64))
        return pl.DataFrame(columns)

    @classmethod
    def from_frame(cls, frame: "pl.DataFrame", *, classes: Sequence[Any] = ()) -> "Predictions":
        """Return what `to_frame` wrote; rows without scores are not mixed with rows that have them."""
        labels = np.asarray(frame["prediction"].to_list())
        if "scores" not in frame.columns or not classes or frame["scores"].null_count():
            return cls(labels=labels, classes=tuple(classes))
        scores = np.asarray(frame["scores"].to_list(), dtype=np.float64).reshape(len(labels), len(classes))
        return cls(labels=labels, scores=scores, classes=tuple(classes))
