"""All columns together: p-values of every joint method on samples of numbers, counts and words."""

import numpy as np
from tests.rates.rate import Power, Rate, Study
from tests.watch.multivariate.null import null_rate, shifted, turned

from homeostat.watch.joint import JointMethod
from homeostat.watch.multivariate import JOINT_METHODS

_TRIES = {100: 200, 1_000: 100, 10_000: 60, 1_000_000: 40}
_TRIES_OF = {"pca_reconstruction": {100: 200, 1_000: 200, 10_000: 100, 1_000_000: 60}}  # costs least


def studies() -> list[Study]:
    return [
        Study(family="together", name=name, null=lambda n, method=method: _null(method, n), power=_power(name, method))
        for name, method in JOINT_METHODS.items()
    ]


def _null(method: JointMethod, n: int) -> Rate:
    return null_rate(method, rows=n, tries=_TRIES_OF.get(method.name, _TRIES)[n])


def _power(name: str, method: JointMethod) -> Power:
    if name == "pca_reconstruction":
        change, draw = "correlation 0.9 to 0.6, 1,000 rows", lambda seed: turned(1_000, seed, by=0.6)
    else:
        change, draw = "0.2 sd in 8 columns, 1,000 rows", lambda seed: shifted(1_000, seed, by=0.2)

    def seen() -> tuple[int, int]:
        return int(np.sum([method.measure(draw(seed)).p_value < 0.01 for seed in range(20)])), 20

    return Power(change=change, seen=seen, least=0.8)
