"""What the gate judges by: the candidate's and the champion's answers on the same held-out rows, and what there was to learn from."""

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Signature, Task
from homeostat.core.ports.probe import ProbeAnswer
from homeostat.track.predictions import Predictions

PROBE_ROWS = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """`test` has features, target and time, `y` the true values, all in the order of time where there is one; `y` has no nulls.

    `candidate` and `champion` answer those rows. `champion_failure`: why the champion has no answers although there is one.
    `train_target`: what the candidate learned from, where known. `probe` loads the candidate in a fresh server and returns its answers for
    the first `PROBE_ROWS` rows of `test`.
    """

    task: Task
    signature: Signature
    test: pl.DataFrame
    y: npt.NDArray[Any]
    candidate: Predictions
    champion: Predictions | None = None
    champion_signature: Signature | None = None
    champion_failure: str | None = None
    train_target: npt.NDArray[Any] | None = None
    probe: Callable[[], ProbeAnswer] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        sizes = {"test": self.test.height, "y": len(self.y), "candidate": len(self.candidate)}
        if self.champion is not None:
            sizes["champion"] = len(self.champion)
        if len(set(sizes.values())) != 1:
            raise ValueError(f"evidence is about the same rows, got {sizes}")

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator that depends on the seed and the purpose alone, so that checks do not disturb each other."""
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])
