"""How often a method calls two samples of one distribution different."""

from collections import Counter

import numpy as np
from tests.rates.rate import Rate

from homeostat.watch.method import Method
from homeostat.watch.sample import Categories, numbers

SHARES = np.array([0.4, 0.3, 0.15, 0.1, 0.05])


def normal_draw(rng, size):
    return rng.normal(size=size)


def word_draw(rng, size):
    return rng.choice(list("abcde"), size, p=SHARES)


def category_counts(rng, n, shares=SHARES) -> Categories:
    counts = rng.multinomial(n, shares)
    return Categories(counts={f"c{i}": int(count) for i, count in enumerate(counts) if count})


def false_alarm_rate(method: Method, *, n, draw, reference=1_000, alpha=0.05, tries=300, may_be_fewer=False) -> Rate:
    """Return how many p-values of so many pairs of samples are below alpha."""
    rng = np.random.default_rng(n)
    alarms = 0
    for _ in range(tries):
        old, new = draw(rng, reference), draw(rng, n)
        if isinstance(old, np.ndarray) and old.dtype.kind == "f":
            ours = numbers(old)
            p = method.measure(ours, numbers(new, like=ours)).p_value
        else:
            sides = (
                side if isinstance(side, Categories) else Categories(counts=Counter(side.tolist()))
                for side in (old, new)
            )
            p = method.measure(*sides).p_value
        alarms += p < alpha
    return Rate(alarms=alarms, tries=tries, nominal=alpha, is_ceiling=may_be_fewer)


def assert_false_alarm_rate(method: Method, **options) -> None:
    found = false_alarm_rate(method, **options)
    assert found.is_kept, found
