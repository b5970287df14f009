"""What an estimator is: it says how well answers turned out before any label of them is known. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.watch.domain import (
    HALVINGS,
    LEAST_ROWS,
    MOST_ROWS,
    Apart,
    density_ratios,
    effective_rows,
    halves,
    tell_apart,
)
from homeostat.watch.joint import Samples
from homeostat.watch.sample import Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """What is known of some rows: `inputs` (n, n_columns) as numbers, and what the model answered.

    `said` (n,): places of classes, or numbers; `scores` (n, n_classes), None in a regression; `truth` (n,) as `said`, None where unknown.
    """

    inputs: Floats
    said: npt.NDArray[np.generic]
    scores: Floats | None = None
    truth: npt.NDArray[np.generic] | None = None

    def __len__(self) -> int:
        return len(self.said)


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """The labelled reference (at most 20,000 rows), the rows whose labels are not known, and the metric that is asked for."""

    reference: Rows
    current: Rows
    is_category: npt.NDArray[np.bool_]
    metric: str
    names: Sequence[str] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.reference) > MOST_ROWS:
            raise ValueError(f"a reference has at most {MOST_ROWS} rows, got {len(self.reference)}")

    @cached_property
    def samples(self) -> Samples | None:
        """The inputs of both, the current ones at most 20,000; None where they are too few or have no columns."""
        if min(len(self.reference), len(self.current)) < LEAST_ROWS or not self.reference.inputs.shape[1]:
            return None
        names = self.names or [str(place) for place in range(self.reference.inputs.shape[1])]
        inputs = self.reference.inputs, self.current.inputs
        return Samples.of(names, *inputs, is_category=self.is_category, seed=self.seed)

    @property
    def apart(self) -> Apart | None:
        """What a domain classifier made of the two; computed once for all who ask."""
        return None if self.samples is None else self.samples.apart

    @cached_property
    def weights(self) -> Floats | None:
        """How much each reference row counts among the current ones, of mean 1."""
        return None if self.apart is None else density_ratios(self.apart)

    def halved(self) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
        """Yield, for several random halvings, which half each reference row is in, and its weight by what the other half of all rows taught."""
        if self.samples is None:
            return
        ours, theirs = self.samples.reference, self.samples.current
        for number in range(HALVINGS):
            fold = halves(ours, theirs, seed=self.seed + 1 + number)
            apart = tell_apart(ours, theirs, is_category=self.is_category, seed=self.seed, with_shares=False, fold=fold)
            yield fold[: len(ours)], density_ratios(apart)

    @property
    def effective_rows(self) -> float | None:
        return None if self.weights is None else effective_rows(self.weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """`value` of the metric, and the standard deviation (`spread`) of the realised one around it: by chance, and what else the estimator counts."""

    value: float
    spread: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimator:
    """A plug-in. `estimate` returns None where it has too little to go by; `weighs`: it rests on density ratios.

    `calibration`: how far what is expected of rows was off, once the truth of `current` is known, as `calibrating.calibration_error` counts it;
    None: that of the calibrated scores.
    """

    name: str
    tasks: frozenset[Task]
    metrics: frozenset[str]
    weighs: bool
    estimate: Callable[[Question], Guess | None]
    calibration: Callable[[Question], float | None] | None = None
