"""Models that answer, raise or hang as told, and packages of them, for tests of what serves."""

import asyncio
import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.values import Json
from homeostat.serve.answer import Answer, Question
from homeostat.serve.door import Desk
from homeostat.serve.engine import Engine
from homeostat.serve.evaluator import ThreadEvaluator
from homeostat.serve.explain.explain import Explainer
from homeostat.serve.metrics import ServeMetrics
from homeostat.serve.plane import Plane
from homeostat.serve.settings import ServeSettings
from homeostat.serve.switchboard import Load
from homeostat.serve.switching import OnLoop
from homeostat.serve.table import Table
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


class ExplainsHere:
    """Explains versions in a thread of this process. `load(model, version)` returns a package and rows to compare with."""

    def __init__(self, load: Callable[[str, int], tuple[Package, Any]]) -> None:
        self._load = load

    async def explain(self, model: str, version: int, table: Table, *, limit_s: float | None = None) -> Json:
        """Return the contributions, however long it takes."""
        del limit_s

        def explained() -> Json:
            return Explainer(*self._load(model, version)).explain(table)

        return await asyncio.get_running_loop().run_in_executor(None, explained)


def in_threads(load: Callable[[str, int], Any]) -> Load:
    """Return a loader for a plane from one that returns packages, each asked in a thread, or what a plane takes as it is.

    One that is asynchronous is a plane's already.
    """
    if inspect.iscoroutinefunction(load):
        return load

    async def loaded(model: str, version: int) -> Any:
        def guarded() -> Any:
            try:
                return load(model, version)
            except SystemExit as error:  # it must not travel through the event loop
                raise RuntimeError(f"SystemExit: {error}") from error

        found = await asyncio.get_running_loop().run_in_executor(None, guarded)
        return ThreadEvaluator(found) if isinstance(found, Package) else found

    return loaded


class PlaneInThread(OnLoop):
    """A plane on an event loop of its own, asked from any thread. `load(model, version)`: see `in_threads`."""

    def __init__(self, load: Callable[[str, int], Any], record: Any, clock: Any, **options: Any) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="plane", daemon=True)
        self._thread.start()

        async def make() -> Plane:
            return Plane(in_threads(load), record, clock, **options)

        self.plane = self.run(make())

    def run(self, work: Any) -> Any:
        """Return what a coroutine returns on the plane's loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result()

    @property
    def metrics(self) -> ServeMetrics:
        return self.plane.metrics

    @property
    def generations(self) -> dict[str, int]:
        return {name: route.generation for name, route in self.routes.items()}

    def standby(self, model: str) -> int | None:
        return self.plane.switchboard.standby(model)

    def forget(self, model: str) -> None:
        async def forget() -> None:
            self.plane.switchboard.forget(model)

        self.run(forget())

    def signature(self, model: str) -> Signature:
        return self.plane.signature(model)

    def answer(
        self, model: str, rows: Sequence[Any], *, request_id: str | None = None, key: str | None = None, **other: Any
    ) -> Answer:
        """Return the answer to rows as JSON has them."""

        async def asked() -> Answer:
            read = self.plane.served(model).decoder.rows(rows)
            question = Question(
                model=model,
                request_id=request_id or uuid4().hex,
                table=read.table,
                keys=read.keys,
                times=read.times,
                key=key,
                **other,
            )
            return await self.plane.answer(question)

        found: Answer = self.run(asked())
        return found

    def flush(self, timeout_s: float | None = None) -> bool:
        return bool(self.run(self.plane.flush(timeout_s)))

    def close(self, timeout_s: float | None = None) -> bool:
        """Close the plane and end its loop; return whether everything was done."""
        if not self._thread.is_alive():
            return True
        done = bool(self.run(self.plane.close(timeout_s)))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()
        return done


class EngineInThread(PlaneInThread):
    """The whole server in a thread, on a free port: what clients see. `desk`: more for the desk."""

    def __init__(
        self,
        load: Callable[[str, int], Any],
        record: Any,
        clock: Any,
        *,
        settings: ServeSettings | None = None,
        desk: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        self.settings = settings or ServeSettings()
        self.port = 0
        self._stop = threading.Event()
        is_ready = threading.Event()

        async def make() -> Desk:
            self.loop = asyncio.get_running_loop()
            self.plane = Plane(in_threads(load), record, clock, **options)
            given = {"new_id": lambda: uuid4().hex, **(desk or {})}
            self.desk = Desk(plane=self.plane, record=record, settings=self.settings, clock=clock, **given)
            return self.desk

        def ready(port: int) -> None:
            self.port = port
            is_ready.set()

        engine = Engine(host="127.0.0.1", port=0, make=make, on_ready=ready, stop=self._stop, drain_s=1.0)
        self._thread = threading.Thread(target=engine.run, name="engine", daemon=True)
        self._thread.start()
        if not is_ready.wait(30):
            raise TimeoutError("the engine did not start")

    def close(self, timeout_s: float | None = None) -> bool:
        """End the server; return whether everything beside the answers was done."""
        done = bool(self.run(self.plane.flush(timeout_s))) if self._thread.is_alive() else True
        self._stop.set()
        self._thread.join(20)
        return done
