"""Whether the rows of a window can be trusted at all: values that are missing, unreadable, far out of range, never seen; errors."""

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from homeostat.data.profile import CategoryProfile, ColumnProfile, NumberProfile
from homeostat.watch.columns import ColumnRead, Mask
from homeostat.watch.sample import Floats
from homeostat.watch.settings import WatchSettings

FAR = 10.0  # spans of the reference outside its range: a sensor's error value, not a trend


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of one column: how many rows break it, and the share that the reference lets expect. `broken`: too many."""

    column: str
    rule: str
    count: int
    share: float
    expected: float
    broken: bool
    because: str


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """`invalid_rows` break at least one rule that no row of the reference broke. `errors` of `answers` were no answers."""

    rows: int
    invalid_rows: int
    invalid_share: float
    answers: int
    errors: int
    broken: bool
    because: str
    problems: list[Problem] = []


def check_quality(
    columns: Mapping[str, ColumnRead | None],
    profiles: Mapping[str, ColumnProfile],
    *,
    rows: int,
    settings: WatchSettings,
    answers: int | None = None,
    errors: int = 0,
) -> Quality:
    """Return what is wrong with the rows of a window, compared with the reference. A column that is None was not there.

    Quality is broken where more than `settings.max_invalid_share` (beyond what the reference has) is wrong, and not by chance: the
    binomial tail of so many rows is below 1 %. `answers` counts answers and errors, and is `rows` + `errors` by default.
    """
    limit = settings.max_invalid_share
    invalid = np.zeros(rows, dtype=np.bool_)
    problems: list[Problem] = []
    for name, profile in profiles.items():
        read = columns.get(name)
        if read is None:
            problems.append(
                _problem(name, "missing", count=rows, rows=rows, expected=0.0, limit=limit, words="is not there")
            )
            invalid[:] = True
            continue
        for rule, mask, expected, words in _rules(read, profile):
            if count := int(mask.sum()):
                problems.append(
                    _problem(name, rule, count=count, rows=rows, expected=expected, limit=limit, words=words)
                )
                invalid |= mask & (expected == 0.0)
    n_invalid, n_answers = int(invalid.sum()), rows + errors if answers is None else answers
    is_invalid = exceeds(n_invalid, rows, limit)
    is_failing = exceeds(errors, n_answers, limit)
    worst = max((problem for problem in problems if problem.broken), key=lambda problem: problem.share, default=None)
    reasons = [
        f"{errors} of {n_answers} requested rows got an error" if is_failing else "",
        worst.because if worst is not None else "",
        f"{n_invalid} of {rows} rows hold values that no reference row held" if is_invalid and worst is None else "",
    ]
    return Quality(
        rows=rows,
        invalid_rows=n_invalid,
        invalid_share=n_invalid / rows if rows else 0.0,
        answers=n_answers,
        errors=errors,
        broken=is_invalid or is_failing or worst is not None,
        because="; ".join(reason for reason in reasons if reason) or "as the reference",
        problems=problems,
    )


def exceeds(count: int, rows: int, limit: float, *, alpha: float = 0.01) -> bool:
    """Return whether `count` of `rows` is more than the share `limit`, and more than chance would make of that share.

    >>> exceeds(1, 1, 0.05), exceeds(6, 100, 0.05), exceeds(15, 100, 0.05)
    (False, False, True)
    """
    if not rows or count / rows <= limit:
        return False
    if limit <= 0.0:
        return True
    from scipy.special import bdtrc

    return bool(bdtrc(count - 1, rows, limit) < alpha)


def usual_share(expected: float) -> float:
    """Return how high the share in a window may go by itself where the reference's is `expected`.

    What is usual comes in clusters (a sensor is out for a week, a kind of customer has no such value), so its share moves far more than
    independent rows would let it: by half a standard deviation of one row. What the reference never had stays at zero.

    >>> usual_share(0.0), round(usual_share(0.1), 2), round(usual_share(0.6), 2)
    (0.0, 0.25, 0.84)
    """
    return expected + 0.5 * math.sqrt(expected * (1.0 - expected))


def _problem(column: str, rule: str, *, count: int, rows: int, expected: float, limit: float, words: str) -> Problem:
    share = count / rows if rows else 0.0
    usual = f" ({expected:.1%} in the reference)" if expected else ""
    return Problem(
        column=column,
        rule=rule,
        count=count,
        share=share,
        expected=expected,
        broken=exceeds(count, rows, usual_share(expected) + limit),
        because=f"column '{column}' {words} in {count} of {rows} rows{usual}",
    )


def _rules(read: ColumnRead, profile: ColumnProfile) -> list[tuple[str, Mask, float, str]]:
    """Return (rule, rows that break it, share to be expected, words)."""
    total = max(1, profile.count)
    nulls, spoilt, words = profile.nulls, 0, "has another type"
    if isinstance(profile, NumberProfile):
        nulls, spoilt, words = nulls + profile.nans, profile.infinite, f"is not a finite {profile.kind.value}"
    rules = [("null", read.null, nulls / total, "is null"), ("kind", read.spoilt, spoilt / total, words)]
    if isinstance(profile, NumberProfile) and read.values is not None:
        rules += _range(read, read.values, profile)
    if isinstance(profile, CategoryProfile) and read.words is not None and profile.counts and not profile.other:
        unseen = ~read.words.is_in(list(profile.counts)).fill_null(value=True).to_numpy()
        # I. J. Good (1953), "The population frequencies of species", Biometrika 40: the share of values seen once estimates that of new ones
        once = sum(count == 1 for count in profile.counts.values())
        rules.append(("category", unseen, once / sum(profile.counts.values()), "holds categories never seen before"))
    return rules


def _range(read: ColumnRead, values: Floats, profile: NumberProfile) -> list[tuple[str, Mask, float, str]]:
    low, high = profile.min, profile.max
    if low is None or high is None or low == high or high - low > np.finfo(np.float64).max / (2 * FAR):
        return []
    reach = FAR * (high - low)
    with np.errstate(invalid="ignore"):
        outside = ((values < low - reach) | (values > high + reach)) & ~read.spoilt
    return [("range", outside, 0.0, f"lies far outside [{low:.4g}, {high:.4g}]")]
