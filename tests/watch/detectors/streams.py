"""Streams to try detectors on, and what they should do on each."""

import msgspec
import numpy as np

from homeostat.watch.detector import kept
from homeostat.watch.detectors import detector


def errors(share: float, rows: int, *, seed: int) -> list[float]:
    return (np.random.default_rng(seed).random(rows) < share).astype(float).tolist()


def losses(mean: float, rows: int, *, seed: int) -> list[float]:
    return np.random.default_rng(seed).exponential(mean, rows).tolist()


def alarms(name: str, values: list[float]) -> list[int]:
    found = detector(name).make()
    return [at for at, value in enumerate(values) if found.add(value)]


def alarms_of_river(reference, values: list[float]) -> list[int]:
    """Return where a detector of river alarms."""
    found = []
    for at, value in enumerate(values):
        reference.update(value)
        if reference.drift_detected:
            found.append(at)
    return found


def check_alarms_are_those_of_river(name: str, reference, values: list[float]) -> None:
    theirs = alarms_of_river(reference, values)
    assert len(theirs) > 1
    assert alarms(name, values) == theirs


def false_alarms(name: str, *, runs: int = 10, rows: int = 2000, share: float = 0.2) -> int:
    return sum(len(alarms(name, errors(share, rows, seed=1000 + seed))) for seed in range(runs))


def delays(name: str, make=errors, before: float = 0.1, after: float = 0.4, *, runs: int = 10, calm: int = 1000):
    """Return how many values after a sudden rise each run's first alarm came; None where none came in 2,000."""
    found = []
    for seed in range(runs):
        values = [*make(before, calm, seed=seed), *make(after, 2000, seed=500 + seed)]
        found.append(next((at - calm for at in alarms(name, values) if at >= calm), None))
    return found


def check_kept_in_the_middle(name: str, values: list[float]) -> None:
    """A detector that is kept and restored at any place goes on as if nothing had been."""
    kind = detector(name)
    whole, broken = kind.make(), kind.make()
    for value in values:
        broken = kind.restored(msgspec.json.decode(msgspec.json.encode(kept(broken))))
        assert whole.add(value) == broken.add(value)


def check_falls_and_constants_are_quiet(name: str) -> None:
    assert not alarms(name, [0.0] * 1000)
    assert not alarms(name, [1.0] * 1000)
    assert not [at for at in alarms(name, [*errors(0.6, 800, seed=3), *errors(0.05, 800, seed=4)]) if at >= 800]
