"""Control charts: streams of a process in control, and windows of so many rows with a known share of bad ones."""

import numpy as np
from tests.rates.rate import Power, Rate, Study

from homeostat.watch.control.cusum import cusum
from homeostat.watch.control.ewma import ewma
from homeostat.watch.control.p_chart import ShareLimits, share_limits

_TOTAL = 100_000  # values in short streams together
_PIECE = 1_500  # values that are looked at before the chart begins anew: few runs in control last longer than that
_SHARE = 0.02

# Average run lengths, as tests/watch/control/test_run_lengths.py has them.
_CHARTS = {
    "single values": (370.4, lambda values: np.abs(values) > 3.0),
    "CUSUM": (465.0, lambda values: [point.signal for point in cusum(values.tolist(), center=0.0, scale=1.0)]),
    "EWMA": (557.0, lambda values: [point.signal for point in ewma(values.tolist(), center=0.0, scale=1.0)]),
}


def studies() -> list[Study]:
    lengths = [
        Study(
            family="control chart, a value",
            name=name,
            null=lambda n, name=name: _signals(name, n),
            power=_power(name, within=50 if name != "single values" else 200),
        )
        for name in _CHARTS
    ]
    return [
        *lengths,
        Study(
            family="control chart, a window",
            name="p' (binomial windows)",
            null=_p_chart,
            power=Power(change="2 % to 4 %, 1,000 rows", seen=_doubled, least=0.7),
        ),
    ]


def _signals(name: str, n: int) -> Rate:
    """Signals of streams of n values; after one, the chart begins anew. A chart that needs some values to signal has fewer in short streams."""
    arl, chart = _CHARTS[name]
    rng, found, runs = np.random.default_rng(n), 0, max(1, _TOTAL // n)
    for _ in range(runs):
        values, start = rng.normal(size=n), 0
        while start < n:
            piece = values[start : start + _PIECE]
            signals = np.flatnonzero(chart(piece))
            found += bool(len(signals))
            start += int(signals[0]) + 1 if len(signals) else len(piece)
    return Rate(alarms=found, tries=runs * n, nominal=1.0 / arl)


def _power(name: str, *, within: int) -> Power:
    def seen() -> tuple[int, int]:
        rng = np.random.default_rng(7)
        return sum(any(_CHARTS[name][1](rng.normal(1.0, 1.0, within))) for _ in range(100)), 100

    return Power(change=f"1 sd, within {within} values", seen=seen, least=0.9)


def _p_chart(n: int) -> Rate:
    """Signals upwards, of which the verdict is made, by limits from 20 windows: ten later windows for each of many limits."""
    rng, found, tries = np.random.default_rng(n), 0, 20_000
    for _ in range(tries // 10):
        limits = share_limits(rng.binomial(n, _SHARE, 20).tolist(), [n] * 20)
        found += sum(above(limits, bad, n) for bad in rng.binomial(n, _SHARE, 10).tolist())
    return Rate(alarms=found, tries=tries, nominal=0.00135, is_ceiling=True)


def above(limits: ShareLimits, bad: int, rows: int) -> bool:
    point = limits.of(bad, rows)
    return point.value > point.upper


def _doubled() -> tuple[int, int]:
    rng = np.random.default_rng(8)
    limits = share_limits(rng.binomial(1_000, _SHARE, 20).tolist(), [1_000] * 20)
    return sum(above(limits, bad, 1_000) for bad in rng.binomial(1_000, 2 * _SHARE, 100).tolist()), 100
