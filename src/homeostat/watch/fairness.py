"""How differently groups of people fare: who is chosen, who is wrongly left out, whose probabilities are off. Pure.

Differences are told, not judged: which of them matters, and how much, is for those who answer for the model. Rates carry Wilson intervals; the
largest difference between groups is never below 0, so that its interval alone says little: the p-value says whether chance explains it.
"""

import math
from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.gate.stats import wilson
from homeostat.watch.groups import Grouped
from homeostat.watch.sample import Floats

LEAST_ROWS = 50
DRAWS = 500

Mask = npt.NDArray[np.bool_]
GapName = Literal["demographic_parity", "equalised_odds", "calibration"]


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """A share (or a mean) of `rows`, with its 95 % interval."""

    value: float
    low: float
    high: float
    rows: int


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """How one group fares. `selected`: the share that got the positive answer.

    Of those with labels: `true_positive` and `false_positive` rates, and `calibration`, the mean probability less the share that came true
    (above 0: too sure).
    """

    name: str
    rows: int
    labelled: int
    selected: Rate
    true_positive: Rate | None = None
    false_positive: Rate | None = None
    calibration: Rate | None = None


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """The greatest difference between two groups, `highest` and `lowest`. `p_value`: that all groups are alike; None where it cannot be tested."""

    measure: GapName
    value: float
    low: float
    high: float
    p_value: float | None
    highest: str
    lowest: str


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """A column's groups and the gaps between them. `left_out`: groups of fewer rows than are wanted; what is said of so few is chance."""

    column: str
    groups: list[Group]
    gaps: list[Gap]
    left_out: list[str] = []


def fairness(
    groups: Grouped,
    *,
    selected: Mask,
    truth: Mask | None = None,
    known: Mask | None = None,
    score: Floats | None = None,
    least_rows: int = LEAST_ROWS,
    seed: int = 0,
) -> Fairness:
    """Return how the groups of a column fare, all arrays of shape (n_rows,).

    `selected`: the positive answer was given; `truth`: it was right to, where `known` (None: everywhere); `score`: the probability of it. Rates of
    groups with fewer than `least_rows` rows, or rates over fewer rows than that, are left out. Intervals of gaps are percentiles of 500 bootstrap
    draws within groups. Demographic parity, equalised odds: M. Hardt, E. Price and N. Srebro 2016, "Equality of Opportunity in Supervised Learning";
    definitions of the differences as in Fairlearn (the larger of the differences of true and false positive rates).
    """
    labelled = np.zeros_like(selected) if truth is None else (np.ones_like(selected) if known is None else known)
    right = np.zeros_like(selected) if truth is None else truth
    found, left_out = [], []
    for place, name in enumerate(groups.names):
        rows = groups.codes == place
        size = int(rows.sum())
        if not size:
            continue
        if size < least_rows:
            left_out.append(name)
            continue
        ours = rows & labelled
        found.append(
            Group(
                name=name,
                rows=size,
                labelled=int(ours.sum()),
                selected=_rate(selected[rows], 1) or Rate(value=0.0, low=0.0, high=0.0, rows=0),
                true_positive=_rate(selected[ours & right], least_rows),
                false_positive=_rate(selected[ours & ~right], least_rows),
                calibration=None if score is None else _off(score[ours], right[ours], least_rows),
            )
        )
    rng = np.random.default_rng(seed)
    gaps = [
        _gap("demographic_parity", [[group.selected for group in found]], found, rng),
        _gap(
            "equalised_odds",
            [[group.true_positive for group in found], [group.false_positive for group in found]],
            found,
            rng,
        ),
        _gap("calibration", [[group.calibration for group in found]], found, rng),
    ]
    return Fairness(
        column=groups.column, groups=found, gaps=[gap for gap in gaps if gap is not None], left_out=left_out
    )


def _rate(chosen: Mask, least: int) -> Rate | None:
    if len(chosen) < least:
        return None
    interval = wilson(int(chosen.sum()), len(chosen))
    return Rate(value=float(chosen.mean()), low=interval.low, high=interval.high, rows=len(chosen))


def _off(score: Floats, right: Mask, least: int) -> Rate | None:
    if len(score) < least:
        return None
    gap = score - right
    spread = 1.96 * float(gap.std(ddof=1)) / math.sqrt(len(gap))
    mean = float(gap.mean())
    return Rate(value=mean, low=mean - spread, high=mean + spread, rows=len(gap))


def _gap(
    measure: GapName, kinds: Sequence[Sequence[Rate | None]], groups: Sequence[Group], rng: np.random.Generator
) -> Gap | None:
    """Return the gap of the kind of rate that differs most, None where fewer than two groups have one."""
    best: Gap | None = None
    p_values: list[float] = []
    for rates in kinds:
        known = [(group.name, rate) for group, rate in zip(groups, rates, strict=True) if rate is not None]
        if len(known) < 2:
            continue
        values = np.array([rate.value for _, rate in known])
        errors = _errors([rate for _, rate in known], is_share=measure != "calibration")
        sizes = np.array([rate.rows for _, rate in known])
        if measure == "calibration":
            drawn = rng.normal(values, errors, (DRAWS, len(values)))
        else:
            drawn = rng.binomial(sizes, values, (DRAWS, len(values))) / sizes  # the bootstrap of a share, exactly
        spans = drawn.max(axis=1) - drawn.min(axis=1)
        p_values.append(_all_alike(values, sizes, errors, is_share=measure != "calibration"))
        value = float(values.max() - values.min())
        if best is None or value > best.value:
            best = Gap(
                measure=measure,
                value=value,
                low=float(np.quantile(spans, 0.025)),
                high=float(np.quantile(spans, 0.975)),
                p_value=None,
                highest=known[int(values.argmax())][0],
                lowest=known[int(values.argmin())][0],
            )
    if best is None:
        return None
    return msgspec.structs.replace(best, p_value=min(1.0, min(p_values) * len(p_values)))


def _errors(rates: Sequence[Rate], *, is_share: bool) -> Floats:
    if is_share:
        return np.array([math.sqrt(max(rate.value * (1 - rate.value), 1e-12) / rate.rows) for rate in rates])
    return np.array([max((rate.high - rate.low) / 3.92, 1e-12) for rate in rates])


def _all_alike(values: Floats, sizes: npt.NDArray[np.intp], errors: Floats, *, is_share: bool) -> float:
    """Return the chi-square p-value that all groups have one rate (Pearson's for shares, weighted means else)."""
    from scipy.special import chdtrc

    if is_share:
        pooled = float((values * sizes).sum() / sizes.sum())
        if pooled in (0.0, 1.0):
            return 1.0
        statistic = float((sizes * (values - pooled) ** 2).sum() / (pooled * (1 - pooled)))
    else:
        weights = 1 / errors**2
        pooled = float((weights * values).sum() / weights.sum())
        statistic = float((weights * (values - pooled) ** 2).sum())
    return float(chdtrc(len(values) - 1, statistic))
