"""Models that answer, raise or hang as told, and packages of them, for tests of what serves."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.train.package import Package

NOW = datetime(2024, 1, 1, tzinfo=UTC)
BINARY = Signature(
    task=Task.BINARY,
    columns=(
        Column(name="x", kind=Kind.FLOAT, nullable=False),
        Column(name="city", kind=Kind.CATEGORY, nullable=True),
    ),
    target="late",
    classes=("no", "yes"),
)
REGRESSION = Signature(task=Task.REGRESSION, columns=BINARY.columns, target="price")
ROW: dict[str, Any] = {"x": 0.25, "city": "Ulm"}

Array = npt.NDArray[Any]


@dataclass
class FixedClock:
    """Says the same time until it is told to move on."""

    time: datetime = NOW

    def now(self) -> datetime:
        return self.time

    def advance(self, duration: timedelta) -> None:
        self.time += duration


class Says:
    """Answers the probability of "yes" that it was made with, whatever it is asked."""

    def __init__(self, p: float) -> None:
        self.p = p
        self.asked = 0

    def predict_proba(self, frame: Any) -> Array:
        self.asked += 1
        return np.tile([1 - self.p, self.p], (len(frame), 1))

    def predict(self, frame: Any) -> Array:
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class Raises:
    """Raises the error that it was made with, whatever it is asked."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error or ZeroDivisionError("by zero")

    def predict_proba(self, frame: Any) -> Array:  # noqa: ARG002 - the shape of a model
        raise self.error

    def predict(self, frame: Any) -> Array:
        return self.predict_proba(frame)


class Hangs(Says):
    """Answers once `go` is set (which it is at first: clear it after the version was loaded)."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)
        self.go = threading.Event()
        self.go.set()

    def predict_proba(self, frame: Any) -> Array:
        if not self.go.wait(30):
            raise TimeoutError("a test forgot a model that hangs")
        return super().predict_proba(frame)


class Answers:
    """Answers the very values that it was made with."""

    def __init__(self, labels: Any) -> None:
        self.labels = labels

    def predict(self, frame: Any) -> Array:  # noqa: ARG002 - the shape of a model
        return np.asarray(self.labels)


class Versions:
    """Loads packages from memory, and keeps the order of the loads."""

    def __init__(self, models: Mapping[int, Any], signature: Signature = BINARY) -> None:
        self.packages = {
            version: model if isinstance(model, Package) else Package(model=model, signature=signature)
            for version, model in models.items()
        }
        self.loads: list[int] = []

    def __call__(self, model: str, version: int) -> Package:  # noqa: ARG002 - every model has the same versions
        self.loads.append(version)
        return self.packages[version]
