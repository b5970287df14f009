"""Whether the rows of a window can be trusted at all: values that are missing, unreadable, far out of range, never seen; errors."""

from collections.abc import Mapping

import msgspec
import numpy as np

from homeostat.watch.columns import ColumnProfile, ColumnRead, Mask
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


def _problem(column: str, rule: str, *, count: int, rows: int, expected: float, limit: float, words: str) -> Problem:
    share = count / rows if rows else 0.0
    usual = f" ({expected:.1%} in the reference)" if expected else ""
    return Problem(
        column=column,
        rule=rule,
        count=count,
        share=share,
        expected=expected,
        broken=exceeds(count, rows, min(1.0, expected + limit)),
        because=f"column '{column}' {words} in {count} of {rows} rows{usual}",
    )


def _rules(read: ColumnRead, profile: ColumnProfile) -> list[tuple[str, Mask, float, str]]:
    """Return (rule, rows that break it, share to be expected, words)."""
    total = max(1, profile.rows)
    rules = [
        ("null", read.null, profile.nulls / total, "is null"),
        (
            "kind",
            read.spoilt,
            profile.spoilt / total,
            f"is not a finite {profile.kind.value}" if read.values is not None else "has another type",
        ),
    ]
    if read.values is not None and len(profile.sample) > 1 and profile.sample[-1] > profile.sample[0]:
        low, high = profile.sample[0], profile.sample[-1]
        reach = FAR * (high / 2 - low / 2) * 2 if high - low < np.finfo(np.float64).max / FAR else np.inf
        with np.errstate(invalid="ignore"):
            outside = ((read.values < low - reach) | (read.values > high + reach)) & ~read.spoilt
        rules.append(("range", outside, 0.0, f"lies far outside [{low:.4g}, {high:.4g}]"))
    if read.words is not None and profile.categories and not profile.other:
        seen = sum(profile.categories.values())
        unseen = ~read.words.is_in(list(profile.categories)).fill_null(value=True).to_numpy()
        # I. J. Good (1953), "The population frequencies of species", Biometrika 40: the share of values seen once estimates that of new ones
        rules.append(("category", unseen, profile.once / seen, "holds categories never seen before"))
    return rules
