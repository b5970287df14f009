"""The Benjamini-Hochberg adjustment: many columns are tested, and one in a hundred would alarm by chance."""

from collections.abc import Sequence

import numpy as np


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """Return adjusted p-values in the same order: rejecting those <= alpha keeps the expected share of false ones <= alpha.

    Benjamini and Hochberg (1995), "Controlling the false discovery rate", JRSS B 57: p(i) n / i, made monotone from above.
    None (nothing was tested) stays None and does not count.

    >>> benjamini_hochberg([0.01, 0.04, None, 0.03])
    [0.03, 0.04, None, 0.04]
    """
    where = [i for i, p in enumerate(p_values) if p is not None]
    adjusted: list[float | None] = [None] * len(p_values)
    if not where:
        return adjusted
    values = np.array([p_values[i] for i in where], dtype=np.float64)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"p-values lie in [0, 1], got {values.tolist()}")
    order = np.argsort(values, kind="stable")
    raised = values[order] * len(values) / np.arange(1, len(values) + 1)
    monotone = np.minimum(np.minimum.accumulate(raised[::-1])[::-1], 1.0)
    for rank, position in enumerate(order):
        adjusted[where[position]] = float(monotone[rank])
    return adjusted
