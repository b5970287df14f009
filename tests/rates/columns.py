"""Single columns: p-values of every method, of normal values or of five words."""

import numpy as np
from tests.rates.rate import Power, Study
from tests.watch.methods.false_alarms import SHARES, category_counts, false_alarm_rate, normal_draw

from homeostat.watch.method import Method
from homeostat.watch.methods import METHODS
from homeostat.watch.sample import numbers

_TRIES = {1_000_000: 60}


def studies() -> list[Study]:
    return [
        Study(
            family="one column", name=name, null=lambda n, method=method: _null(method, n), power=_power(name, method)
        )
        for name, method in METHODS.items()
    ]


def _null(method: Method, n: int):
    return false_alarm_rate(
        method,
        n=n,
        reference=max(1_000, n) if n > 10_000 else 1_000,
        draw=normal_draw if "number" in method.kinds else category_counts,
        tries=_TRIES.get(n, 200),
        may_be_fewer=method.name == "unseen",
    )


def _power(name: str, method: Method) -> Power:
    if "number" in method.kinds:
        # by bins, which know no order, a small shift is harder to see: measured 44 of 50, by order 49
        least = 0.9 if name in ("ks", "wasserstein") else 0.8
        return Power(change="0.2 sd, 1,000 rows", seen=lambda: _seen(method, _moved_numbers), least=least)
    if name == "unseen":
        return Power(change="1 % new, 1,000 rows", seen=lambda: _seen(method, _new_words), least=0.9)
    return Power(change="40 % to 48 %, 1,000 rows", seen=lambda: _seen(method, _moved_words), least=0.9)


def _seen(method: Method, draw) -> tuple[int, int]:
    found = [method.measure(*draw(np.random.default_rng([7, seed]))).p_value for seed in range(50)]
    return sum(p < 0.01 for p in found), len(found)


def _moved_numbers(rng):
    old = numbers(rng.normal(size=10_000))
    return old, numbers(rng.normal(0.2, size=1_000), like=old)


def _moved_words(rng):
    moved = np.array([0.48, 0.26, 0.13, 0.0867, 0.0433])
    return category_counts(rng, 10_000, SHARES), category_counts(rng, 1_000, moved / moved.sum())


def _new_words(rng):
    return category_counts(rng, 10_000, SHARES), category_counts(rng, 1_000, np.append(SHARES * 0.99, 0.01))
