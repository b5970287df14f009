"""Registered models, versions and logged models, on every database."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from homeostat.core.errors import AlreadyExists, Conflict, NotFound
from homeostat.core.queries import Condition, LoggedModelQuery, ModelQuery, Order
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import LoggedModel, LoggedModelMetric, LoggedModelStatus

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BY_NAME = (Order(key="name"),)
BY_VERSION = (Order(key="model"), Order(key="version", is_ascending=False))


def version(number=1, model="churn", **changes) -> ModelVersion:
    values = {
        "model": model,
        "version": number,
        "run_id": f"run{number}",
        "created": NOW,
        "location": f"artifacts/1/m{number}",
        "digests": {"MLmodel": "0" * 64},
        "signature": {"declared": {}},
        "lineage": {"run_id": f"run{number}"},
        "source": f"models:/m-{number}",
        **changes,
    }
    return ModelVersion(**values)


def named(name, **changes) -> RegisteredModel:
    return RegisteredModel(**{"name": name, "created": NOW, "updated": NOW, **changes})


def tag(key, operator, value) -> Condition:
    return Condition(entity="tag", key=key, operator=operator, value=value)


def attribute(key, operator, value) -> Condition:
    return Condition(entity="attribute", key=key, operator=operator, value=value)


def found_versions(store, *conditions, **options) -> list[tuple[str, int]]:
    query = ModelQuery(conditions=conditions, order=options.pop("order", BY_VERSION), **options)
    with store.read() as tx:
        return [(each.model, each.version) for each in tx.models.search(query)]


def found_models(store, *conditions, **options) -> list[str]:
    query = ModelQuery(conditions=conditions, order=options.pop("order", BY_NAME), **options)
    with store.read() as tx:
        return [each.name for each in tx.models.search_models(query)]


def test_a_version_reads_back_as_written_and_registers_its_model(store):
    whole = version(tags={"b": "2", "a": ""}, stage="Staging", model_id="m-1", run_link="x", user="ada", updated=LATER)
    with store.write() as tx:
        tx.models.add(whole)
    with store.read() as tx:
        assert tx.models.get("churn", 1) == whole
        assert tx.models.model("churn") == named("churn")
        assert tx.models.models() == ["churn"]


def test_a_version_is_replaced_whole(store):
    with store.write() as tx:
        tx.models.add(version(tags={"a": "1", "b": "2"}))
        changed = replace(version(), tags={"b": "3"}, report_id="r", stage="Production", updated=LATER)
        tx.models.replace(changed)
        assert tx.models.get("churn", 1) == changed
        with pytest.raises(NotFound, match="no version 2"):
            tx.models.replace(version(2))


def test_a_deleted_version_is_gone_with_its_aliases_and_its_number_stays_taken(store):
    with store.write() as tx:
        tx.models.add(version(1))
        tx.models.add(version(2))
        tx.models.set_alias("churn", "best", 2)
        tx.models.delete("churn", 2, now=LATER)
    with store.read() as tx:
        assert tx.models.aliases("churn") == {}
        assert [each.version for each in tx.models.versions("churn")] == [1]
        assert tx.models.next_version("churn") == 3
        with pytest.raises(NotFound):
            tx.models.get("churn", 2)
    assert found_versions(store) == [("churn", 1)]


def test_a_name_is_registered_once(store):
    with store.write() as tx:
        tx.models.add_model(named("churn", description="d", tags={"k": "v"}))
        with pytest.raises(AlreadyExists):
            tx.models.add_model(named("churn"))
        assert tx.models.model("churn") == named("churn", description="d", tags={"k": "v"})
        assert tx.models.find_model("other") is None
        with pytest.raises(NotFound, match="chrun") as caught:
            tx.models.model("chrun")
    assert "churn" in caught.value.hint


def test_a_rename_takes_everything_along(store):
    with store.write() as tx:
        tx.models.add(version(tags={"a": "1"}))
        tx.models.set_alias("churn", "best", 1)
        tx.models.set_tag("churn", "team", "x")
        tx.models.add_model(named("taken"))
        with pytest.raises(AlreadyExists):
            tx.models.rename_model("churn", "taken", now=LATER)
        tx.models.rename_model("churn", "loss", now=LATER)
    with store.read() as tx:
        assert tx.models.find_model("churn") is None
        assert tx.models.get("loss", 1).tags == {"a": "1"}
        assert tx.models.aliases("loss") == {"best": 1}
        assert tx.models.model("loss").tags == {"team": "x"}
        assert tx.models.model("loss").updated == LATER


def test_a_deleted_model_leaves_nothing(store):
    with store.write() as tx:
        tx.models.add(version(tags={"a": "1"}))
        tx.models.set_alias("churn", "best", 1)
        tx.models.delete_model("churn")
        tx.models.add(version(tags={}))
    with store.read() as tx:
        assert tx.models.aliases("churn") == {}
        assert tx.models.get("churn", 1).tags == {}


def test_latest_is_the_newest_of_each_stage(store):
    with store.write() as tx:
        for number, stage in ((1, "None"), (2, "Staging"), (3, "None"), (4, "Staging")):
            tx.models.add(version(number, stage=stage))
        tx.models.add(version(1, "other"))
        tx.models.delete("churn", 4, now=LATER)
    with store.read() as tx:
        newest = [(each.model, each.version) for each in tx.models.latest(["churn", "other"])]
        assert newest == [("churn", 2), ("churn", 3), ("other", 1)]
        assert tx.models.latest([]) == []
        assert tx.models.aliases_of([]) == {}


@pytest.fixture
def shelf(store):
    with store.write() as tx:
        tx.models.add(version(1, "Alpha", tags={"t": "X_1", "u": "1"}, run_id="r1"))
        tx.models.add(version(2, "Alpha", tags={"t": "x%1"}, run_id="r2", created=LATER, updated=LATER))
        tx.models.add(version(1, "beta[1]", run_id="r2"))
        tx.models.add_model(named("greet", tags={"mlflow.prompt.is_prompt": "true"}))
        tx.models.add(version(1, "greet", source="dummy-source"))
        tx.models.set_tag("Alpha", "team", "Red")
        tx.models.set_tag("Alpha", "size", "10")
        tx.models.set_tag("beta[1]", "team", "red")
    return store


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([], ["Alpha", "beta[1]"]),
        ([attribute("name", "=", "Alpha")], ["Alpha"]),
        ([attribute("name", "!=", "Alpha")], ["beta[1]"]),
        ([attribute("name", "LIKE", "al%")], []),
        ([attribute("name", "LIKE", "Al%")], ["Alpha"]),
        ([attribute("name", "ILIKE", "AL%")], ["Alpha"]),
        ([attribute("name", "LIKE", "beta[%")], ["beta[1]"]),
        ([attribute("name", "LIKE", "Alph_")], ["Alpha"]),
        ([attribute("name", "IN", ("Alpha", "x"))], ["Alpha"]),
        ([attribute("name", "NOT IN", ("Alpha",))], ["beta[1]"]),
        ([tag("team", "=", "Red")], ["Alpha"]),
        ([tag("team", "ILIKE", "RED")], ["Alpha", "beta[1]"]),
        ([tag("team", "!=", "Red")], ["beta[1]"]),
        ([tag("team", "=", "Red"), tag("size", "=", "10")], ["Alpha"]),
        ([tag("team", "=", "Red"), tag("size", "=", "11")], []),
        ([attribute("name", "=", "'; DROP TABLE registered_models; --")], []),
    ],
)
def test_models_are_found(shelf, conditions, wanted):
    assert found_models(shelf, *conditions) == wanted


def test_prompts_are_found_only_where_they_are_asked_for(shelf):
    assert found_models(shelf, prompts=True) == ["greet"]
    assert found_versions(shelf, prompts=True) == [("greet", 1)]
    with shelf.read() as tx:
        assert tx.models.models() == ["Alpha", "beta[1]"]


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([], [("Alpha", 2), ("Alpha", 1), ("beta[1]", 1)]),
        ([attribute("run_id", "=", "r2")], [("Alpha", 2), ("beta[1]", 1)]),
        ([attribute("run_id", "IN", ("r1", "r2")), attribute("version", ">", 1)], [("Alpha", 2)]),
        ([attribute("source", "LIKE", "models:/m-2%")], [("Alpha", 2)]),
        ([attribute("created", ">=", LATER)], [("Alpha", 2)]),
        ([tag("t", "LIKE", "X%")], [("Alpha", 1)]),
        ([tag("t", "ILIKE", "x%")], [("Alpha", 2), ("Alpha", 1)]),
        ([tag("t", "=", "X_1"), tag("u", "=", "1")], [("Alpha", 1)]),
    ],
)
def test_versions_are_found(shelf, conditions, wanted):
    assert found_versions(shelf, *conditions) == wanted


def test_pages_follow_each_other(shelf):
    assert found_versions(shelf, limit=2) == [("Alpha", 2), ("Alpha", 1)]
    assert found_versions(shelf, limit=2, offset=2) == [("beta[1]", 1)]
    newest = (Order(key="updated", is_ascending=False), *BY_VERSION)
    assert found_versions(shelf, order=newest, limit=1) == [("Alpha", 2)]


# -- logged models


def logged(number, **changes) -> LoggedModel:
    values = {
        "model_id": f"m-{number:032x}",
        "experiment_id": "1",
        "name": f"model{number}",
        "created": NOW + timedelta(minutes=number),
        "updated": NOW,
        "artifacts": f"artifacts/1/models/m-{number:032x}/artifacts",
        **changes,
    }
    return LoggedModel(**values)


def metric(number, key, value, **changes) -> LoggedModelMetric:
    return LoggedModelMetric(
        **{"model_id": f"m-{number:032x}", "run_id": "r", "key": key, "value": value, "time": NOW, **changes}
    )


@pytest.fixture
def workshop(store):
    with store.write() as tx:
        for number in range(4):
            tx.logged_models.add(logged(number, params={"depth": str(number)}, tags={"kind": "tree"}))
        tx.logged_models.add(logged(9, experiment_id="2"))
        tx.logged_models.log_metrics(
            [
                metric(0, "auc", 0.5, time=NOW - timedelta(hours=1)),
                metric(0, "auc", 0.9),
                metric(1, "auc", 0.7, dataset_name="test", dataset_digest="d1"),
                metric(2, "auc", math.nan),
            ]
        )
    return store


def found(store, *conditions, **options) -> list[int]:
    order = options.pop("order", (Order(key="model_id"),))
    query = LoggedModelQuery(experiment_ids=("1",), conditions=conditions, order=order, **options)
    with store.read() as tx:
        return [int(each.name.removeprefix("model")) for each in tx.logged_models.search(query)]


def test_a_logged_model_reads_back_as_written(workshop):
    whole = logged(20, params={"a": "1"}, tags={"b": "2"}, model_type="x", source_run_id="r", status_message="m")
    with workshop.write() as tx:
        tx.logged_models.add(whole)
        points = (metric(20, "auc", 0.5, step=3, dataset_name="d", dataset_digest="e"), metric(20, "loss", -math.inf))
        tx.logged_models.log_metrics(points)
        tx.logged_models.log_metrics(points)
        assert tx.logged_models.get(whole.model_id) == replace(whole, metrics=points)
        assert math.isnan(tx.logged_models.get(logged(2).model_id).metrics[0].value)
        tx.logged_models.update(replace(whole, status=LoggedModelStatus.READY, lifecycle_stage="deleted"))
        with pytest.raises(NotFound):
            tx.logged_models.get(whole.model_id)
        assert tx.logged_models.get(whole.model_id, allow_deleted=True).status is LoggedModelStatus.READY
    assert 20 not in found(workshop)


def test_params_of_a_logged_model_are_immutable(workshop):
    model_id = logged(1).model_id
    with workshop.write() as tx:
        tx.logged_models.log_params(model_id, {"depth": "1", "new": "x"})
        with pytest.raises(Conflict, match="cannot become"):
            tx.logged_models.log_params(model_id, {"depth": "2"})
        tx.logged_models.set_tags(model_id, {"kind": "forest"})
        assert tx.logged_models.get(model_id).params == {"depth": "1", "new": "x"}
        assert tx.logged_models.get(model_id).tags == {"kind": "forest"}
        tx.logged_models.delete_tag(model_id, "kind")
        with pytest.raises(NotFound):
            tx.logged_models.delete_tag(model_id, "kind")


@pytest.mark.parametrize(
    ("conditions", "wanted"),
    [
        ([], [0, 1, 2, 3]),
        ([attribute("name", "IN", ("model1", "model9"))], [1]),
        ([attribute("status", "=", "READY")], []),
        ([attribute("created", "<", NOW + timedelta(minutes=2))], [0, 1]),
        ([Condition(entity="param", key="depth", operator="!=", value="1")], [0, 2, 3]),
        ([Condition(entity="tag", key="kind", operator="LIKE", value="tr%")], [0, 1, 2, 3]),
        ([Condition(entity="metric", key="auc", operator=">", value=0.6)], [0, 1]),
        ([Condition(entity="metric", key="auc", operator="<", value=0.6)], [0]),
    ],
)
def test_logged_models_are_found(workshop, conditions, wanted):
    assert found(workshop, *conditions) == wanted


def test_logged_models_are_ordered_by_their_newest_metric_and_those_without_come_last(workshop):
    best = Order(key="auc", entity="metric", is_ascending=False)
    assert found(workshop, order=(best, Order(key="model_id"))) == [0, 1, 2, 3]
    worst = Order(key="auc", entity="metric")
    assert found(workshop, order=(worst, Order(key="model_id"))) == [1, 0, 2, 3]
    on_test = Order(key="auc", entity="metric", dataset_name="test", dataset_digest="d1")
    assert found(workshop, order=(on_test, Order(key="model_id")))[0] == 1


def test_metrics_count_on_the_data_set_that_is_asked_for(workshop):
    good = Condition(entity="metric", key="auc", operator=">", value=0.6)
    assert found(workshop, good, datasets=(("test", ""),)) == [1]
    assert found(workshop, datasets=(("test", "d1"),)) == [1]
    assert found(workshop, datasets=(("test", "other"),)) == []


def test_logged_models_of_no_experiment_are_none(workshop):
    with workshop.read() as tx:
        assert tx.logged_models.search(LoggedModelQuery(experiment_ids=())) == []
