"""What both state machines share: a client, its server with a clock that only the machine moves, and the comparison of answers."""

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from tests.compat.door import open_door
from tests.compat.expected_search import Clause, Order
from tests.compat.expected_tracking import Refused

from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store, open_store

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Ticks:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.time = BEGIN

    def now(self) -> datetime:
        return self.time

    @property
    def ms(self) -> int:
        return int(self.time.timestamp()) * 1000

    def tick(self) -> int:
        self.time += timedelta(seconds=1)
        return self.ms


@dataclass
class World:
    """`is_ours`: whether it is our server, whose codes are compared too. The stock store's are not those of its server."""

    client: Any
    clock: Ticks
    root: str
    is_ours: bool = True


@contextmanager
def our_world(url: str | None = None) -> Iterator[World]:
    """Yield our server on a fresh store: in memory, or at the URL."""
    from mlflow import MlflowClient

    clock = Ticks()
    store = open_memory_store() if url is None else open_store(url)
    try:
        with TemporaryDirectory() as folder, open_door(store=store, blobs=LocalBlobs(folder), clock=clock) as address:
            yield World(MlflowClient(address), clock, "mlflow-artifacts:")
    finally:
        store.close()


@contextmanager
def stock_world(template: Path) -> Iterator[World]:
    """Yield MLflow's own store, which the models themselves are held against; `template` is an empty database of its making."""
    from mlflow import MlflowClient
    from mlflow.store.model_registry import sqlalchemy_store as registry
    from mlflow.store.tracking import sqlalchemy_store as tracking

    clock = Ticks()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        for module in (registry, tracking):
            patch.setattr(module, "get_current_time_millis", lambda: clock.ms)
        shutil.copy(template, f"{folder}/db")
        yield World(MlflowClient(f"sqlite:///{folder}/db"), clock, f"{folder}/files", is_ours=False)


class Machine(RuleBasedStateMachine):
    worlds: ClassVar[Callable[[], Any]] = staticmethod(our_world)

    def __init__(self) -> None:
        super().__init__()
        self._open = ExitStack()
        self.world: World = self._open.enter_context(type(self).worlds())
        self.client = self.world.client

    def teardown(self) -> None:
        try:
            self.look()
        finally:
            self._open.close()

    def look(self) -> None:
        """Compare all that is there, field by field."""

    def both(self, theirs: Callable[[], Any], expected: Callable[[Any], None]) -> Any:
        """Ask the server, then the model, which is given the answer; both must do it, or refuse it with the same code."""
        from mlflow import MlflowException

        try:
            answer, refused = theirs(), None
        except MlflowException as error:
            answer, refused = None, error
        try:
            expected(answer)
            code = None
        except Refused as wanted:
            code = wanted.code
        assert (refused is None) == (code is None), f"wanted: {code or 'done'}; told: {refused or 'done'}"
        assert refused is None or not self.world.is_ours or refused.error_code == code, f"wanted: {code}; {refused}"
        return answer


def fields(entity: Any, names: dict[str, str]) -> dict[str, Any]:
    """Return the client's values under the model's names."""
    return {ours: getattr(entity, theirs) for ours, theirs in names.items()}


def pages(search: Callable[..., Any], *, size: int) -> list[Any]:
    """Return everything that a search finds, page by page."""
    out, token = [], None
    while True:
        page = search(max_results=size, page_token=token)
        assert len(page) <= size
        out += page
        token = page.token
        if not token:
            return out


def texts(entity: str, keys: list[str], values: list[str], *, presence: bool = False, listed: bool = False) -> Any:
    """Draw conditions on texts."""
    values_, patterns = st.sampled_from(values), st.sampled_from([*values, "%", "a%", "_", "%é%"])
    forms = [
        st.tuples(st.sampled_from(["=", "!="]), values_),
        st.tuples(st.sampled_from(["LIKE", "ILIKE"]), patterns),
    ]
    if presence:
        forms.append(st.tuples(st.sampled_from(["IS NULL", "IS NOT NULL"]), st.none()))
    if listed:
        forms.append(st.tuples(st.sampled_from(["IN", "NOT IN"]), st.lists(values_, min_size=1, max_size=3).map(tuple)))
    return st.builds(lambda key, form: Clause(entity, key, *form), st.sampled_from(keys), st.one_of(forms))


def numbers(entity: str, keys: list[str], values: list[Any]) -> Any:
    """Draw conditions on numbers."""
    return st.builds(
        Clause,
        st.just(entity),
        st.sampled_from(keys),
        st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(values),
    )


def orders(*keys: tuple[str, str]) -> Any:
    """Draw orders of up to two different keys."""
    one = st.builds(lambda key, up: Order(*key, up), st.sampled_from(keys), st.booleans())
    return st.lists(one, max_size=2, unique_by=lambda order: (order.entity, order.key))


def run_machine(
    machine: type[Machine], world: Callable[[], Any], *, examples: int, steps: int, number: int | None = None
) -> None:
    """Run random sessions; without a number each time others, whose number is printed."""
    number = secrets.randbits(32) if number is None else number
    print(f"seed {number}")
    in_world = type(machine.__name__, (machine,), {"worlds": staticmethod(world)})
    run_state_machine_as_test(
        seed(number)(in_world),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
