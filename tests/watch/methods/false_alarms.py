"""How often a method calls two samples of one distribution different."""

from collections import Counter

import numpy as np
from scipy.stats import binom

from homeostat.watch.method import Method
from homeostat.watch.sample import Categories, numbers


def assert_false_alarm_rate(method: Method, *, n, draw, reference=1_000, alpha=0.05, tries=300, may_be_fewer=False):
    """Fail where the share of p-values below alpha is outside the 1 in 1,000 limits of a binomial with that rate."""
    rng = np.random.default_rng(n)
    alarms = 0
    for _ in range(tries):
        old, new = draw(rng, reference), draw(rng, n)
        if "number" in method.kinds and old.dtype.kind == "f":
            ours = numbers(old)
            p = method.measure(ours, numbers(new, like=ours)).p_value
        else:
            p = method.measure(*(Categories(counts=Counter(side.tolist())) for side in (old, new))).p_value
        alarms += p < alpha
    low, high = binom.ppf([0.0005, 0.9995], tries, alpha)
    assert (0 if may_be_fewer else low) <= alarms <= high, f"{alarms} alarms in {tries}, wanted {low:.0f} to {high:.0f}"
