"""Four labelled streams in order of time, read from ../shared/data."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
_BIKE = ("casual", "registered", "instant", "dteday")
KNOWN = {
    "insects_gradual_balanced": {"target": "class", "batch": 250, "window": 2000},
    "elec2": {"target": "class", "without": ("date",), "batch": 336, "window": 4032},
    "sea_0123_abrupt_noise02": {"target": "class", "batch": 500, "window": 2000},
    "bike_sharing_hour": {"target": "cnt", "without": _BIKE, "regression": True, "batch": 168, "window": 1344},
}
QUICK = ("elec2", "bike_sharing_hour")


@dataclass(frozen=True)
class Stream:
    """`x`: (rows, features); `y`: (rows,), numbers or the index of the class. The first `window` rows are history."""

    name: str
    x: np.ndarray
    y: np.ndarray
    is_regression: bool
    batch: int
    window: int

    @property
    def classes(self) -> int:
        return 1 if self.is_regression else int(self.y.max()) + 1

    @property
    def batches(self) -> list[tuple[int, int]]:
        return [(first, min(len(self.y), first + self.batch)) for first in range(self.window, len(self.y), self.batch)]

    @property
    def no_change(self) -> float | None:
        """The accuracy of whoever repeats the last label."""
        if self.is_regression:
            return None
        return float((self.y[self.window :] == self.y[self.window - 1 : -1]).mean())

    def shuffled(self, seed: int) -> "Stream":
        order = np.random.default_rng(seed).permutation(len(self.y))
        return replace(self, x=self.x[order], y=self.y[order])


def read(name: str) -> Stream:
    how = KNOWN[name]
    frame = pl.read_csv(DATA / f"{name}.csv.gz", infer_schema_length=None).drop(how.get("without", ()))
    target, is_regression = how["target"], how.get("regression", False)
    y = frame[target].to_numpy()
    y = y.astype(float) if is_regression else np.unique(y, return_inverse=True)[1]
    x = frame.drop(target).cast(pl.Float64).to_numpy()
    return Stream(name, x, y, is_regression, how["batch"], how["window"])


def there_are() -> Iterator[tuple[str, bool]]:
    """Give each stream's name, the one that takes longest first, and whether its file is there."""
    for name in KNOWN:
        yield name, (DATA / f"{name}.csv.gz").exists()
