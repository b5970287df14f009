"""Drift of all columns together: what no column shows by itself, a correlation that turned for example. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.watch.domain import MOST_ROWS, Apart, at_most, tell_apart
from homeostat.watch.sample import Floats

PERMUTATIONS = 499


@dataclass(frozen=True, kw_only=True, eq=False)
class Samples:
    """Two samples of shapes (n, n_columns) and (m, n_columns), categories as codes from 0, NaN where nothing is known; at most 20,000 rows each."""

    names: Sequence[str]
    reference: Floats
    current: Floats
    is_category: npt.NDArray[np.bool_]
    seed: int = 0

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        reference: Floats,
        current: Floats,
        *,
        is_category: npt.NDArray[np.bool_] | None = None,
        seed: int = 0,
    ) -> "Samples":
        """Return the samples, drawn down to 20,000 rows where they have more."""
        return cls(
            names=names,
            reference=reference[at_most(reference, MOST_ROWS, seed=seed)],
            current=current[at_most(current, MOST_ROWS, seed=seed + 1)],
            is_category=np.zeros(reference.shape[1], dtype=np.bool_) if is_category is None else is_category,
            seed=seed,
        )

    @cached_property
    def apart(self) -> Apart:
        """What a domain classifier makes of the two; computed once."""
        return tell_apart(self.reference, self.current, is_category=self.is_category, seed=self.seed)

    @cached_property
    def standardised(self) -> tuple[Floats, Floats]:
        """Both as numbers, of mean 0 and variance 1 over both: categories by the share of rows below theirs, missing values as the mean.

        Scales are those of all rows, whichever sample they are from: by the reference's own, a permutation of rows would not be as likely as the
        observed order even where nothing moved, least of all with rare categories, which the reference has seen as often as it has them.
        """
        rows = np.concatenate([self.reference, self.current])
        for column in np.flatnonzero(self.is_category):
            is_known = np.isfinite(rows[:, column])
            codes = rows[is_known, column].astype(np.intp)
            counts = np.bincount(codes)
            rows[is_known, column] = (np.cumsum(counts) - counts / 2)[codes] / max(1, len(codes))
        counts = np.maximum(np.isfinite(rows).sum(axis=0), 1)
        mean = np.where(np.isfinite(rows), rows, 0.0).sum(axis=0) / counts
        rows = np.where(np.isfinite(rows), rows, mean) - mean
        sd = rows.std(axis=0)
        sd[sd == 0] = 1.0
        rows /= sd
        return rows[: len(self.reference)], rows[len(self.reference) :]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMeasure:
    """`effect` says how far, in the method's own units; `columns`: those that it rests on most, where the method can tell."""

    effect: float
    p_value: float
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JointMethod:
    """A plug-in: the effects from which it warns and alarms, and the measure itself."""

    name: str
    warn: float
    alarm: float
    measure: Callable[[Samples], JointMeasure]


class JointDrift(msgspec.Struct, frozen=True, kw_only=True):
    """One method on all columns together. `state` is `ok` where the p-value, times the number of methods, is not below alpha."""

    method: str
    effect: float
    p_value: float
    warn: float
    alarm: float
    state: Literal["ok", "warn", "alarm"]
    columns: list[str] = []


def measure_jointly(samples: Samples, methods: Sequence[JointMethod], *, alpha: float) -> list[JointDrift]:
    """Return what each method found."""
    found = []
    for method in methods:
        measured = method.measure(samples)
        is_credible = measured.p_value * len(methods) < alpha
        state: Literal["ok", "warn", "alarm"] = "ok"
        if is_credible and measured.effect >= method.warn:
            state = "alarm" if measured.effect >= method.alarm else "warn"
        found.append(
            JointDrift(
                method=method.name,
                effect=measured.effect,
                p_value=measured.p_value,
                warn=method.warn,
                alarm=method.alarm,
                state=state,
                columns=list(measured.columns),
            )
        )
    return found


def permutation_p_value(observed: float, permuted: Floats) -> float:
    """Return the share of statistics that are at least as large as the observed one, itself included: never 0, and valid at any number.

    B. Phipson and G. Smyth 2010, "Permutation P-values Should Never Be Zero", Statistical Applications in Genetics and Molecular Biology 9.
    Sums of the same values in another order differ by a rounding: those are ties, and count.

    >>> permutation_p_value(3.0, np.array([1.0, 2.0, 4.0]))
    0.5
    """
    rounding = 1e-9 * float(np.max(np.abs(permuted), initial=abs(observed)))
    return (1 + int(np.sum(permuted >= observed - rounding))) / (1 + len(permuted))


def permuted_differences(values: Floats, n: int, *, seed: int, times: int = PERMUTATIONS) -> Floats:
    """Return the mean of the last values less that of the first n, in so many random orders, shape (times,)."""
    rng = np.random.default_rng(seed)
    m, total = len(values) - n, float(values.sum())
    first = np.array([rng.permutation(values)[:n].sum() for _ in range(times)])
    return np.asarray((total - first) / m - first / n)


def permuted_signs(n: int, m: int, *, seed: int, times: int = PERMUTATIONS) -> Floats:
    """Return weights of shape (n + m, times): 1 / n for those drawn as reference, -1 / m for the others."""
    rng = np.random.default_rng(seed)
    start = np.repeat([1.0 / n, -1.0 / m], [n, m])
    return np.stack([rng.permutation(start) for _ in range(times)], axis=1)
