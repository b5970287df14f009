"""Detectors over streams of errors (one in five) and of losses: alarms a value, at most as many as docs/watching.md says."""

from tests.rates.rate import Power, Study
from tests.watch.detectors.streams import alarms, errors, losses
from tests.watch.detectors.test_rates import CASES, rate

_TOTAL = 100_000  # values in short streams together
_SOON = 500


def studies() -> list[Study]:
    return [
        Study(
            family="stream of losses" if of_losses else "stream of errors",
            name=name,
            null=lambda n, name=name, of_losses=of_losses: rate(name, n, of_losses=of_losses, total=_TOTAL),
            power=_power(name, of_losses=of_losses),
        )
        for name, of_losses in CASES
        if (name, of_losses) != ("kswin", False)  # made for losses of many values
    ]


def _power(name: str, *, of_losses: bool) -> Power:
    make, before, after = (losses, 1.0, 2.0) if of_losses else (errors, 0.1, 0.4)

    def seen() -> tuple[int, int]:
        found = [
            any(
                at >= 1_000
                for at in alarms(name, [*make(before, 1_000, seed=seed), *make(after, _SOON, seed=90 + seed)])
            )
            for seed in range(20)
        ]
        return sum(found), len(found)

    return Power(change=f"{before:g} to {after:g}, within {_SOON} values", seen=seen, least=0.8)
