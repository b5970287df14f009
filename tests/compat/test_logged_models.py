"""Each field of logged models, set and read through the client; searches beside what was set."""

import pytest
from tests.compat.machine import our_world, pages

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")
from mlflow.entities import Dataset, DatasetInput, LoggedModelInput, LoggedModelOutput, Metric  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own


@pytest.fixture
def world():
    before = mlflow.get_tracking_uri()
    with our_world() as made:
        mlflow.set_tracking_uri(made.client.tracking_uri)
        yield made
    mlflow.set_tracking_uri(before)


@pytest.fixture
def experiment(world):
    return world.client.create_experiment("e")


def test_every_field_comes_back(world, experiment):
    client = world.client
    run = client.create_run(experiment)
    began = world.clock.tick()
    made = client.create_logged_model(
        experiment,
        name="größe",
        source_run_id=run.info.run_id,
        tags={"k": "v"},
        params={"p": "x" * 6000},
        model_type="agent",
    )
    assert made.model_id.startswith("m-")
    ended = world.clock.tick()
    client.finalize_logged_model(made.model_id, "READY")
    found = client.get_logged_model(made.model_id)
    assert found.to_dictionary() == {
        "experiment_id": experiment,
        "model_id": made.model_id,
        "name": "größe",
        "artifact_location": f"mlflow-artifacts:/{experiment}/models/{made.model_id}/artifacts",
        "creation_timestamp": began,
        "last_updated_timestamp": ended,
        "model_type": "agent",
        "source_run_id": run.info.run_id,
        "status": 2,
        "status_message": "",
        "tags": {"k": "v"},
        "params": {"p": "x" * 6000},
        "metrics": [],
    }


def test_a_model_without_a_name_gets_one_and_waits_for_its_files(world, experiment):
    made = world.client.create_logged_model(experiment)
    assert made.name
    assert (made.status.name, made.source_run_id, made.model_type, made.tags, made.params) == (
        "PENDING",
        "",
        "",
        {},
        {},
    )


def test_tags_are_set_changed_and_deleted(world, experiment):
    client = world.client
    made = client.create_logged_model(experiment, tags={"a": "1", "b": "2"})
    client.set_logged_model_tags(made.model_id, {"b": "3", "with space/é": ""})
    assert client.get_logged_model(made.model_id).tags == {"a": "1", "b": "3", "with space/é": ""}
    for key in ("a", "with space/é"):
        client.delete_logged_model_tag(made.model_id, key)
    assert client.get_logged_model(made.model_id).tags == {"b": "3"}
    with pytest.raises(mlflow.MlflowException, match="No tag with key") as caught:
        client.delete_logged_model_tag(made.model_id, "a")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_many_params_are_sent_in_parts(world, experiment):
    params = {f"p{number:03d}": str(number) for number in range(250)}
    made = world.client.create_logged_model(experiment, params=params)
    assert world.client.get_logged_model(made.model_id).params == params
    more = {f"q{number:03d}": "x" for number in range(150)}
    mlflow.log_model_params(more, model_id=made.model_id)
    assert world.client.get_logged_model(made.model_id).params == params | more


def test_metrics_name_the_model_the_run_and_the_data_set(world, experiment):
    client = world.client
    run = client.create_run(experiment).info.run_id
    made = client.create_logged_model(experiment, source_run_id=run).model_id
    client.log_metric(run, "m", 0.5, timestamp=5, step=1, model_id=made, dataset_name="d", dataset_digest="x")
    client.log_batch(
        run,
        [
            Metric("n", 2.0, 6, 2, model_id=made, dataset_name="d", dataset_digest="y", run_id=run),
            Metric("o", 1.0, 7, 0),
        ],
    )
    found = {one.key: one for one in client.get_logged_model(made).metrics}
    assert found.keys() == {"m", "n"}
    assert {
        key: (one.value, one.timestamp, one.step, one.model_id, one.dataset_name, one.dataset_digest, one.run_id)
        for key, one in found.items()
    } == {"m": (0.5, 5, 1, made, "d", "x", run), "n": (2.0, 6, 2, made, "d", "y", run)}
    assert client.get_run(run).data.metrics == {"m": 0.5, "n": 2.0, "o": 1.0}


def test_runs_name_the_models_that_went_in_and_came_out(world, experiment):
    client = world.client
    run = client.create_run(experiment).info.run_id
    models = [client.create_logged_model(experiment).model_id for _ in range(3)]
    dataset = DatasetInput(Dataset("d", "x", "local", "{}", schema='{"a": 1}', profile='{"rows": 2}'), [])
    client.log_inputs(run, [dataset], models=[LoggedModelInput(models[0])])
    client.log_outputs(run, [LoggedModelOutput(models[1], step=1), LoggedModelOutput(models[2], step=7)])
    found = client.get_run(run)
    assert [one.model_id for one in found.inputs.model_inputs] == [models[0]]
    assert {(one.model_id, one.step) for one in found.outputs.model_outputs} == {(models[1], 1), (models[2], 7)}
    (used,) = found.inputs.dataset_inputs
    assert used.dataset.to_dictionary() == dataset.dataset.to_dictionary()


@pytest.fixture
def shelf(world, experiment):
    """Six models, measured on two data sets; the last is deleted, and another experiment has one more."""
    client, names = world.client, "abcdef"
    other = client.create_experiment("other")
    run = client.create_run(experiment).info.run_id
    made = {}
    for number, name in enumerate(names):
        world.clock.tick()
        one = client.create_logged_model(
            experiment,
            name=name,
            params={"p": str(number % 2)},
            tags={"t": name.upper()},
            model_type="x" if number < 3 else "y",
        )
        made[name] = one.model_id
        for time, (dataset, value) in enumerate((("d", number / 10), ("e", (5 - number) / 10))):
            if name != "c":
                client.log_metric(
                    run,
                    "auc",
                    value,
                    timestamp=time,
                    step=0,
                    model_id=one.model_id,
                    dataset_name=dataset,
                    dataset_digest=f"{dataset}1",
                )
        if number % 2:
            client.finalize_logged_model(one.model_id, "READY")
    world.clock.tick()
    made["z"] = client.create_logged_model(other, name="z").model_id
    client.delete_logged_model(made["f"])
    return [experiment, other], made


SEARCHES = [
    ({}, "zedcba"),
    ({"filter_string": "name = 'b'"}, "b"),
    ({"filter_string": "attributes.name IN ('a', 'd', 'f')"}, "da"),
    ({"filter_string": "name LIKE 'A'"}, ""),
    ({"filter_string": "name ILIKE 'A'"}, "a"),
    ({"filter_string": "name != 'a' AND model_type = 'x'"}, "cb"),
    ({"filter_string": "params.p = '1'"}, "db"),
    ({"filter_string": "params.`p` != '1'"}, "eca"),
    ({"filter_string": "tags.t IN ('A', 'C')"}, "ca"),
    ({"filter_string": "status = 'READY'"}, "db"),
    ({"filter_string": "status = 'PENDING'"}, "zeca"),
    ({"filter_string": "creation_timestamp > 1767225603000"}, "zed"),
    ({"filter_string": "metrics.auc >= 0.4"}, "eba"),
    ({"filter_string": "metrics.auc >= 0.4", "datasets": [{"dataset_name": "d"}]}, "e"),
    ({"filter_string": "metrics.auc >= 0.4", "datasets": [{"dataset_name": "d", "dataset_digest": "e1"}]}, ""),
    ({"datasets": [{"dataset_name": "e", "dataset_digest": "e1"}]}, "edba"),
    ({"order_by": [{"field_name": "name"}]}, "abcdez"),
    ({"order_by": [{"field_name": "creation_timestamp", "ascending": True}]}, "abcdez"),
    ({"order_by": [{"field_name": "metrics.auc", "ascending": True, "dataset_name": "d"}]}, "abdezc"),
    ({"order_by": [{"field_name": "metrics.auc", "ascending": False, "dataset_name": "d"}]}, "edbazc"),
    ({"order_by": [{"field_name": "metrics.auc", "dataset_name": "e", "dataset_digest": "e1"}]}, "edbazc"),
    ({"order_by": [{"field_name": "model_type"}, {"field_name": "name", "ascending": False}]}, "zcbaed"),
]


def test_searches_find_what_they_mean_page_by_page(world, shelf):
    experiments, made = shelf
    names = {model_id: name for name, model_id in made.items()}
    for options, wanted in SEARCHES:
        for size in (2, 100):

            def search(options=options, **page):
                return world.client.search_logged_models(experiments, **options, **page)

            assert "".join(names[one.model_id] for one in pages(search, size=size)) == wanted, (options, size)


@pytest.mark.parametrize(
    "options",
    [
        {"filter_string": "nothing = 'x'"},
        {"filter_string": "metrics.auc LIKE 'x'"},
        {"order_by": [{"field_name": "params.p"}]},
        {"order_by": [{"field_name": "nothing"}]},
    ],
)
def test_searches_that_say_nothing_are_refused(world, experiment, options):
    with pytest.raises(mlflow.MlflowException) as caught:
        world.client.search_logged_models([experiment], **options)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


def test_what_is_deleted_or_never_was_is_not_found(world, experiment):
    client = world.client
    made = client.create_logged_model(experiment).model_id
    client.delete_logged_model(made)
    for model_id in (made, "m-" + "0" * 32):
        for call in (
            client.get_logged_model,
            client.delete_logged_model,
            lambda which: client.finalize_logged_model(which, "READY"),
        ):
            with pytest.raises(mlflow.MlflowException, match="not found") as caught:
                call(model_id)
            assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
