"""Searches against the plainest thing that can be right: every run read, and filtered and sorted in Python."""

import math
import operator
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat.core.queries import Condition, Order, RunQuery
from homeostat.core.records.tracking import InputDataset, Point, Run, RunStatus
from homeostat.storage.sql import run_order, run_search

NOW = datetime(2026, 1, 1, tzinfo=UTC)
METRICS, TEXTS = ("m", "n"), ("x", "X", "xy", "y%", "a_b", "", "long" * 40)
VALUES = (math.nan, math.inf, -math.inf, -1.5, 0.0, 0.0, 2.0, 2.0, 7.25)


def a_world(seed: int) -> list[dict]:
    """Return plain runs: some lack metrics, params and tags, some share all values."""
    import random

    rng = random.Random(seed)
    return [
        {
            "run_id": f"{rng.getrandbits(128):032x}",
            "experiment": rng.choice("ab"),
            "name": rng.choice(("one", "One", "two")),
            "stage": rng.choice(("active", "active", "deleted")),
            "started": NOW + timedelta(milliseconds=rng.choice((0, 0, 1, 5))),
            "ended": rng.choice((None, NOW + timedelta(seconds=rng.randint(0, 2)))),
            "metrics": {k: rng.choice(VALUES) for k in METRICS if rng.random() < 0.7},
            "params": {k: rng.choice(TEXTS) for k in ("p", "q r") if rng.random() < 0.7},
            "tags": {k: rng.choice(TEXTS) for k in ("t",) if rng.random() < 0.7},
            "datasets": [rng.choice(("d", "e"))] if rng.random() < 0.4 else [],
        }
        for _ in range(40)
    ]


WORLD = a_world(7)


@pytest.fixture
def filled(store):
    with store.write() as tx:
        homes = {name: tx.experiments.create(name, now=NOW) for name in "ab"}
        for one in WORLD:
            run = Run(
                run_id=one["run_id"],
                experiment_id=homes[one["experiment"]],
                name=one["name"],
                status=RunStatus.RUNNING,
                started=one["started"],
                ended=one["ended"],
                user="u",
                params=one["params"],
                tags=one["tags"],
                lifecycle_stage=one["stage"],
            )
            tx.runs.create(run)
            points = [Point(key, value, 5, 1) for key, value in one["metrics"].items()]
            older = [Point(key, 99.0, 4, 0) for key in one["metrics"]]
            tx.runs.log_points(run.run_id, run.experiment_id, [*points, *older])
            inputs = [InputDataset(name=n, digest="1", source_type="s", source="{}") for n in one["datasets"]]
            tx.runs.log_inputs(run.run_id, run.experiment_id, inputs)
    return store, homes


def like(pattern: str, text: str, *, ignore_case: bool) -> bool:
    regex = "".join(".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern)
    return re.fullmatch(regex, text, (re.IGNORECASE if ignore_case else 0) | re.DOTALL) is not None


COMPARISONS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "IN": lambda found, value: found in value,
    "NOT IN": lambda found, value: found not in value,
    "LIKE": lambda found, value: like(value, found, ignore_case=False),
    "ILIKE": lambda found, value: like(value, found, ignore_case=True),
}


def holds(found, how, value) -> bool:
    if how in {"IS NULL", "IS NOT NULL"}:
        return (found is None) == (how == "IS NULL")
    return found is not None and COMPARISONS[how](found, value)


def ms(time):
    return None if time is None else int((time - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(milliseconds=1))


def value_of(run, entity, key):
    if entity in {"metric", "param", "tag"}:
        return run[f"{entity}s"].get(key)
    return {
        "run_id": run["run_id"],
        "run_name": run["name"],
        "start_time": ms(run["started"]),
        "end_time": ms(run["ended"]),
    }[key]


def fits(run, condition) -> bool:
    if condition.entity == "dataset":
        return any(holds(name, condition.operator, condition.value) for name in run["datasets"])
    return holds(value_of(run, condition.entity, condition.key), condition.operator, condition.value)


def expected(query: RunQuery, names: dict[str, str]) -> list[str]:
    found = [
        run
        for run in WORLD
        if names[run["experiment"]] in query.experiment_ids
        and run["stage"] in query.stages
        and all(fits(run, condition) for condition in query.conditions)
    ]
    found.sort(key=lambda run: run["run_id"])
    found.sort(key=lambda run: run["started"], reverse=True)
    for order in reversed(query.order):
        values = {run["run_id"]: value_of(run, order.entity, order.key) for run in found}
        with_value = [
            r for r in found if values[r["run_id"]] is not None and values[r["run_id"]] == values[r["run_id"]]
        ]
        nan = [r for r in found if values[r["run_id"]] is not None and values[r["run_id"]] != values[r["run_id"]]]
        without = [r for r in found if values[r["run_id"]] is None]
        with_value.sort(key=lambda run: values[run["run_id"]], reverse=not order.is_ascending)
        found = with_value + nan + without
    return [run["run_id"] for run in found][query.offset : query.offset + query.limit]


numbers = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
texts = st.sampled_from(["=", "!=", "LIKE", "ILIKE"])
patterns = st.sampled_from([*TEXTS, "x%", "%Y%", "_", "a_b", "%"])


def conditions():
    return st.one_of(
        st.builds(
            Condition,
            entity=st.just("metric"),
            key=st.sampled_from([*METRICS, "none"]),
            operator=numbers,
            value=st.sampled_from([-1.5, 0.0, 1.0, 2.0]),
        ),
        st.builds(
            Condition,
            entity=st.sampled_from(["param", "tag"]),
            key=st.sampled_from(["p", "q r", "t"]),
            operator=texts,
            value=patterns,
        ),
        st.builds(
            Condition,
            entity=st.sampled_from(["param", "tag"]),
            key=st.sampled_from(["p", "t"]),
            operator=st.sampled_from(["IS NULL", "IS NOT NULL"]),
            value=st.none(),
        ),
        st.builds(
            Condition,
            entity=st.just("attribute"),
            key=st.sampled_from(["start_time", "end_time"]),
            operator=numbers,
            value=st.sampled_from([ms(NOW), ms(NOW) + 1, ms(NOW) + 1000]),
        ),
        st.builds(
            Condition,
            entity=st.just("attribute"),
            key=st.just("run_name"),
            operator=texts,
            value=st.sampled_from(["one", "ONE", "o%", "%"]),
        ),
        st.builds(
            Condition,
            entity=st.just("attribute"),
            key=st.just("run_id"),
            operator=st.sampled_from(["IN", "NOT IN"]),
            value=st.just(tuple(run["run_id"] for run in WORLD[:9])),
        ),
        st.builds(
            Condition,
            entity=st.just("dataset"),
            key=st.just("name"),
            operator=st.sampled_from(["=", "!=", "LIKE", "IN"]),
            value=st.just("d"),
        ).map(
            lambda c: c if c.operator != "IN" else Condition(entity=c.entity, key=c.key, operator="IN", value=("d",))
        ),
    )


orders = st.lists(
    st.builds(
        Order,
        entity=st.sampled_from(["metric", "metric", "param", "tag", "attribute"]),
        key=st.sampled_from(["m", "n", "p", "t", "start_time", "end_time", "run_name"]),
        is_ascending=st.booleans(),
    ).filter(lambda o: (o.entity == "attribute") == (o.key in {"start_time", "end_time", "run_name"})),
    max_size=2,
    unique_by=lambda o: (o.entity, o.key),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    conditions=st.lists(conditions(), max_size=3),
    order=orders,
    stages=st.sampled_from([("active",), ("deleted",), ("active", "deleted")]),
    homes=st.sampled_from(["a", "b", "ab"]),
    offset=st.integers(0, 25),
    limit=st.integers(1, 30),
    few=st.sampled_from([0, 3, 1000]),
)
def test_a_search_finds_what_reading_everything_finds(filled, *, conditions, order, stages, homes, offset, limit, few):
    store, names = filled
    query = RunQuery(
        experiment_ids=tuple(names[home] for home in homes),
        conditions=tuple(conditions),
        order=tuple(order),
        stages=stages,
        limit=limit,
        offset=offset,
    )
    is_postgres = store.engine.dialect.name == "postgresql"
    if is_postgres and any(o.key == "run_name" for o in order):
        query = RunQuery(**{f: getattr(query, f) for f in ("experiment_ids", "conditions", "stages")}, limit=100)
    with pytest.MonkeyPatch.context() as patched, store.read() as tx:
        patched.setattr(run_search, "_FEW", few)  # this world is small: every way of looking is to be gone
        patched.setattr(run_order, "_MOST_LISTED", few)
        found = tx.runs.search(query)
    assert found == expected(query, names)


def test_a_detail_holds_everything_about_a_run(filled):
    store, names = filled
    one = next(run for run in WORLD if run["params"] and run["tags"] and run["metrics"] and run["datasets"])
    with store.read() as tx:
        (detail,) = tx.runs.details([one["run_id"]])
    assert (detail.run.params, detail.run.tags) == (one["params"], one["tags"])
    assert {p.key for p in detail.latest} == set(one["metrics"])
    assert [d.name for d in detail.datasets] == one["datasets"]
    assert detail.run.experiment_id == names[one["experiment"]]


def test_the_newest_point_is_the_greatest_by_step_time_and_value(store):
    with store.write() as tx:
        run = Run(run_id="a" * 32, experiment_id="0", name="r", status=RunStatus.RUNNING, started=NOW)
        tx.runs.create(run)
        for points in (
            [Point("k", 1.0, 10, 5), Point("k", 9.0, 99, 4)],
            [Point("k", 0.5, 10, 5)],
            [Point("k", 0.7, 10, 5), Point("k", 1.0, 10, 5)],
            [Point("j", math.nan, 1, 0), Point("j", -1.0, 1, 0)],
        ):
            tx.runs.log_points(run.run_id, "0", points)
    with store.read() as tx:
        (detail,) = tx.runs.details([run.run_id])
        newest = {point.key: point for point in detail.latest}
        assert newest["k"] == Point("k", 1.0, 10, 5)
        assert math.isnan(newest["j"].value)
        assert tx.runs.points(run.run_id, "k") == [
            Point("k", 0.5, 10, 5),
            Point("k", 0.7, 10, 5),
            Point("k", 1.0, 10, 5),
            Point("k", 9.0, 99, 4),
        ]
        assert len(tx.runs.points(run.run_id, "k", offset=1, limit=2)) == 2
        assert len(tx.runs.points(run.run_id, "k", steps=(4, 4))) == 1
