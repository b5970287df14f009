"""Random sessions of the real client with experiments and runs, beside a model in plain Python; all that is there is compared at the end."""

import math
import sys
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule
from tests.compat.expected_search import same, text_of
from tests.compat.expected_tracking import NAME_TAG, Tracking
from tests.compat.machine import Machine, fields, numbers, orders, our_world, pages, run_machine, texts

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag, ViewType  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own
WORDS = ["", "a", "A", "ab", "a b", "größe é", "b_%"]
NAMES = ["first", "First", "a/b", "größe é", "x" * 100]
KEYS = ["m", "k", "with space", "a/b", "é"]
FLOATS = [0.0, 0.5, 1.0, -1.5, 1e-300, 1e300, math.nan, math.inf, -math.inf]
TIMES = [1_700_000_000_000 + n for n in range(4)]
VIEWS = {ViewType.ACTIVE_ONLY: {"active"}, ViewType.DELETED_ONLY: {"deleted"}, ViewType.ALL: {"active", "deleted"}}
STATUSES = ["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]
EXPERIMENT = {
    "experiment_id": "experiment_id",
    "name": "name",
    "artifacts": "artifact_location",
    "stage": "lifecycle_stage",
    "created": "creation_time",
    "updated": "last_update_time",
    "tags": "tags",
}
INFO = {
    "run_id": "run_id",
    "experiment_id": "experiment_id",
    "name": "run_name",
    "status": "status",
    "stage": "lifecycle_stage",
    "started": "start_time",
    "ended": "end_time",
    "artifacts": "artifact_uri",
}

which = st.integers(0, 5)
words, names, keys = (st.sampled_from(each) for each in (WORDS, NAMES, KEYS))
tags = st.dictionaries(keys, words, max_size=3)
pairs = st.lists(st.tuples(keys, words), max_size=3)
points = st.lists(st.tuples(keys, st.sampled_from(FLOATS), st.sampled_from(TIMES), st.integers(-1, 2)), max_size=6)
views = st.sampled_from(sorted(VIEWS))
finite = [0.0, 0.5, 1.0, -1.5, 12345.0]  # the stock parser knows no exponents
run_clauses = st.one_of(
    numbers("metrics", KEYS, finite),
    texts("params", KEYS, WORDS, presence=True),
    texts("tags", KEYS, WORDS, presence=True),
    texts("attributes", ["run_name"], NAMES),
    texts("attributes", ["status"], STATUSES),
    numbers("attributes", ["start_time", "end_time"], TIMES),
    texts("datasets", ["name", "digest", "context"], ["a", "b", "B"], listed=True),
)
run_orders = orders(
    *((entity, key) for entity in ("metrics", "params", "tags") for key in KEYS[:3]),
    *(("attributes", key) for key in ("start_time", "end_time", "status", "run_id", "run_name")),
)
experiment_clauses = st.one_of(
    texts("attributes", ["name"], NAMES),
    texts("tags", KEYS, WORDS, presence=True),
    numbers("attributes", ["creation_time", "last_update_time"], [1_767_225_605_000, 1_767_225_610_000]),
)
experiment_orders = orders(
    *(("attributes", key) for key in ("name", "experiment_id", "creation_time", "last_update_time"))
)


class TrackingMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Tracking()

    def experiment(self, n: int) -> str:
        """Return a known id, or now and then one that nobody has."""
        return [*self.model.experiments, "999999"][n % (len(self.model.experiments) + 1)]

    def run(self, n: int) -> str:
        return [*self.model.runs, "f" * 32][n % (len(self.model.runs) + 1)]

    def begin(self, experiment: str, **more: Any) -> Any:
        started = more.pop("started", TIMES[0])
        return self.both(
            lambda: self.client.create_run(experiment, start_time=started, tags=more["tags"], run_name=more["name"]),
            lambda made: self.model.create_run(made, experiment, started=started, **more),
        )

    # -- experiments

    @initialize()
    def first(self) -> None:
        self.create_experiment("start", {}, None)
        for _ in range(2):
            self.begin(self.experiment(0), name=None, tags={})

    @rule(name=names, tags=tags, folder=st.sampled_from([None, "own", "own/a b"]))
    def create_experiment(self, name: str, tags: dict[str, str], folder: str | None) -> None:
        now = self.world.clock.tick()
        if not self.world.is_ours:
            folder = folder or "anywhere"
        place = None if folder is None else f"{self.world.root}/{folder}"
        self.both(
            lambda: self.client.create_experiment(name, artifact_location=place, tags=tags),
            lambda made: self.model.create_experiment(
                made, name, tags, artifacts=place or f"{self.world.root}/{made}", now=now
            ),
        )

    @rule(n=which, name=names)
    def rename_experiment(self, n: int, name: str) -> None:
        one, now = self.experiment(n), self.world.clock.tick()
        self.both(
            lambda: self.client.rename_experiment(one, name),
            lambda _: self.model.rename_experiment(one, name, now=now),
        )

    @rule(n=which)
    def delete_experiment(self, n: int) -> None:
        one, now = self.experiment(n), self.world.clock.tick()
        self.both(
            lambda: self.client.delete_experiment(one), lambda _: self.model.move_experiment(one, "deleted", now=now)
        )

    @rule(n=which)
    def restore_experiment(self, n: int) -> None:
        one, now = self.experiment(n), self.world.clock.tick()
        self.both(
            lambda: self.client.restore_experiment(one), lambda _: self.model.move_experiment(one, "active", now=now)
        )

    @rule(n=which, key=keys, value=words)
    def tag_experiment(self, n: int, key: str, value: str) -> None:
        one = self.experiment(n)
        self.both(
            lambda: self.client.set_experiment_tag(one, key, value),
            lambda _: self.model.tag_experiment(one, key, value),
        )

    @rule(n=which, key=keys)
    def untag_experiment(self, n: int, key: str) -> None:
        one = self.experiment(n)
        self.both(lambda: self.client.delete_experiment_tag(one, key), lambda _: self.model.untag_experiment(one, key))

    @rule(clauses=st.lists(experiment_clauses, max_size=2), order=experiment_orders, view=views, size=st.integers(1, 4))
    def search_experiments(self, clauses: list[Any], order: list[Any], view: int, size: int) -> None:
        def search(**page: Any) -> Any:
            return self.client.search_experiments(
                view, filter_string=text_of(clauses), order_by=[str(each) for each in order], **page
            )

        found = [one.experiment_id for one in pages(search, size=size) if one.experiment_id != "0"]
        assert found == self.model.find_experiments(clauses, order, VIEWS[view])

    # -- runs

    @rule(n=which, name=st.none() | names, started=st.sampled_from(TIMES), tags=tags)
    def create_run(self, n: int, name: str | None, started: int, tags: dict[str, str]) -> None:
        self.begin(self.experiment(n), name=name, started=started, tags=tags)

    @rule(n=which, status=st.none() | st.sampled_from(STATUSES), name=st.none() | names)
    def update_run(self, n: int, status: str | None, name: str | None) -> None:
        one = self.run(n)
        if status is None and name is None:
            return  # the client does not ask then
        self.both(
            lambda: self.client.update_run(one, status=status, name=name),
            lambda _: self.model.update_run(one, status=status, ended=None, name=name),
        )

    @rule(n=which, status=st.sampled_from(STATUSES[2:]), ended=st.sampled_from(TIMES))
    def end_run(self, n: int, status: str, ended: int) -> None:
        one = self.run(n)
        self.both(
            lambda: self.client.set_terminated(one, status, end_time=ended),
            lambda _: self.model.update_run(one, status=status, ended=ended, name=None),
        )

    @rule(n=which)
    def delete_run(self, n: int) -> None:
        one = self.run(n)
        self.both(lambda: self.client.delete_run(one), lambda _: self.model.move_run(one, "deleted"))

    @rule(n=which)
    def restore_run(self, n: int) -> None:
        one = self.run(n)
        self.both(lambda: self.client.restore_run(one), lambda _: self.model.move_run(one, "active"))

    @rule(n=which, points=points, params=pairs, tags=pairs)
    def log_batch(self, n: int, points: list[Any], params: list[Any], tags: list[Any]) -> None:
        one = self.run(n)
        if not points + params + tags:
            return  # as above
        self.both(
            lambda: self.client.log_batch(
                one,
                [Metric(*point) for point in points],
                [Param(*each) for each in params],
                [RunTag(*each) for each in tags],
            ),
            lambda _: self.model.log(one, points=points, params=params, tags=tags),
        )

    @rule(n=which, point=points.filter(bool))
    def log_metric(self, n: int, point: list[Any]) -> None:
        one, (key, value, time, step) = self.run(n), point[0]
        self.both(
            lambda: self.client.log_metric(one, key, value, timestamp=time, step=step),
            lambda _: self.model.log(one, points=point[:1]),
        )

    @rule(n=which, key=keys, value=words)
    def log_param(self, n: int, key: str, value: str) -> None:
        one = self.run(n)
        self.both(lambda: self.client.log_param(one, key, value), lambda _: self.model.log(one, params=[(key, value)]))

    @rule(n=which, key=st.sampled_from([*KEYS, NAME_TAG]), value=words.filter(bool))
    def tag_run(self, n: int, key: str, value: str) -> None:
        one = self.run(n)
        self.both(lambda: self.client.set_tag(one, key, value), lambda _: self.model.log(one, tags=[(key, value)]))

    @rule(n=which, key=keys)
    def untag_run(self, n: int, key: str) -> None:
        one = self.run(n)
        self.both(lambda: self.client.delete_tag(one, key), lambda _: self.model.untag(one, key))

    @rule(n=which, datasets=st.lists(st.tuples(*[st.sampled_from("abB")] * 3), min_size=1, max_size=2))
    def log_inputs(self, n: int, datasets: list[tuple[str, str, str]]) -> None:
        one = self.run(n)
        inputs = [
            DatasetInput(Dataset(name, digest, "local", "{}"), [InputTag("mlflow.data.context", context)])
            for name, digest, context in datasets
        ]
        self.both(lambda: self.client.log_inputs(one, inputs), lambda _: self.model.log_datasets(one, datasets))

    @precondition(lambda self: self.model.runs)
    @rule(n=which, key=keys, size=st.integers(1, 3))
    def read_history(self, n: int, key: str, size: int) -> None:
        one = [*self.model.runs][n % len(self.model.runs)]
        found = [
            (each.timestamp, each.step, self.unclipped(each.value)) for each in self.client.get_metric_history(one, key)
        ]
        wanted = self.model.runs[one].history(key)
        assert len(found) == len(wanted)
        assert all(a[:2] == b[:2] and same(a[2], b[2]) for a, b in zip(found, wanted, strict=True)), (found, wanted)

    @rule(
        ns=st.lists(which, min_size=1, max_size=3),
        clauses=st.lists(run_clauses, max_size=2),
        order=run_orders,
        view=views,
        size=st.integers(1, 4),
    )
    def search_runs(self, ns: list[int], clauses: list[Any], order: list[Any], view: int, size: int) -> None:
        experiments = [self.experiment(n) for n in ns]

        def search(**page: Any) -> Any:
            return self.client.search_runs(
                experiments, text_of(clauses), view, order_by=[str(each) for each in order], **page
            )

        found = [run.info.run_id for run in pages(search, size=size)]
        assert found == self.model.find_runs(experiments, clauses, order, VIEWS[view])

    # -- everything

    def unclipped(self, value: float) -> float:
        """The stock store keeps the greatest number there is for infinity."""
        clipped = not self.world.is_ours and abs(value) == sys.float_info.max
        return math.copysign(math.inf, value) if clipped else value

    def look(self) -> None:
        for wanted in self.model.experiments.values():
            for found in (
                self.client.get_experiment(wanted.experiment_id),
                self.client.get_experiment_by_name(wanted.name),
            ):
                assert fields(found, EXPERIMENT) == vars(wanted)
        for run in self.model.runs.values():
            self.look_at_run(self.client.get_run(run.run_id), run)
            for key in run.points:
                self.read_history([*self.model.runs].index(run.run_id), key, 2)
        everything = self.client.search_runs([*self.model.experiments], run_view_type=ViewType.ALL)
        assert {run.info.run_id for run in everything} == self.model.runs.keys()
        for found in everything:
            self.look_at_run(found, self.model.runs[found.info.run_id])

    def look_at_run(self, found: Any, wanted: Any) -> None:
        metrics = wanted.metrics()
        told = {**fields(found.info, INFO), "params": found.data.params, "tags": found.data.tags}
        told["datasets"] = {
            (one.dataset.name, one.dataset.digest): one.tags[0].value for one in found.inputs.dataset_inputs
        }
        assert told == {key: value for key, value in vars(wanted).items() if key in told}
        assert found.data.metrics.keys() == metrics.keys()
        assert all(same(self.unclipped(found.data.metrics[key]), value) for key, value in metrics.items()), (
            found.data,
            metrics,
        )


def test_random_sessions_agree_with_the_model():
    run_machine(TrackingMachine, our_world, examples=10, steps=40, number=0)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_random_sessions_agree_with_the_model_on_every_database(anywhere):
    run_machine(TrackingMachine, anywhere, examples=100, steps=60)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_model_itself_agrees_with_mlflows_own_store(stock):
    run_machine(TrackingMachine, stock, examples=60, steps=40)
