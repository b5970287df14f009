import json

import pytest

from homeostat.audit.log import verify

VERSIONS = "model-versions/"
MLMODEL = b"""\
flavors: {sklearn: {pickled_model: model.pkl}, python_function: {loader_module: mlflow.sklearn}}
signature: {inputs: '[{"type": "double", "name": "a", "required": true}]', outputs: '[{"type": "long"}]'}
"""


@pytest.fixture
def run(client):
    client.post("registered-models/create", name="churn")
    experiment = client.post("experiments/create", name="e")["experiment_id"]
    return client.post("runs/create", experiment_id=experiment)["run"]["info"]


@pytest.fixture
def model(client, run):
    """A logged model with a package."""
    experiment = run["experiment_id"]
    made = client.post("logged-models", experiment_id=experiment, name="m", source_run_id=run["run_id"])["model"][
        "info"
    ]
    put(client, made["artifact_uri"], "MLmodel", MLMODEL)
    put(client, made["artifact_uri"], "model.pkl", b"never read")
    return made


def put(client, root, name, content):
    path = root.removeprefix("mlflow-artifacts:/")
    status, _, answer = client.send(
        "PUT", f"/api/2.0/mlflow-artifacts/artifacts/{path}/{name}", body=content, headers={}
    )
    assert status == 200, answer


def create(client, **fields):
    return client.post(f"{VERSIONS}create", name="churn", **fields)["model_version"]


def stored(client, number=1, name="churn"):
    with client.desk.store.read() as tx:
        return tx.models.get(name, number)


def test_a_version_of_a_logged_model_knows_its_files_and_what_they_declare(client, run, model):
    source = f"models:/{model['model_id']}"
    tags = [{"key": "k", "value": "v"}]
    made = create(client, source=source, model_id=model["model_id"], description="d", tags=tags, run_link="l")
    assert made["version"] == "1"
    assert (made["source"], made["run_id"], made["status"]) == (source, run["run_id"], "READY")
    assert (made["current_stage"], made["tags"], made["description"]) == ("None", tags, "d")
    found = stored(client)
    assert found.location == f"artifacts/{run['experiment_id']}/models/{model['model_id']}/artifacts"
    assert set(found.digests) == {"MLmodel", "model.pkl"}
    assert found.signature["declared"]["inputs"] == [{"name": "a", "type": "double"}]
    uri = client.get(f"{VERSIONS}get-download-uri", name="churn", version="1")["artifact_uri"]
    assert uri == model["artifact_uri"]
    told = client.get(f"logged-models/{model['model_id']}")["model"]["info"]["tags"]
    assert json.loads(told[0]["value"]) == [{"name": "churn", "version": 1}]
    with client.desk.store.read() as tx:
        event = tx.audit.events(kinds=["model_version.registered"])[0]
    assert event.payload["digests"] == found.digests
    assert verify(client.desk.store)


def test_a_version_of_a_run_without_files_is_registered_and_has_no_digests(client, run):
    create(client, source=f"{run['artifact_uri']}/model", run_id=run["run_id"])
    create(client, source=f"runs:/{run['run_id']}/model", run_id=run["run_id"])
    assert stored(client, 1).digests == {}
    assert stored(client, 2).location == stored(client, 1).location


def test_an_mlmodel_file_that_is_none_is_told_of_and_not_fatal(client, run):
    put(client, run["artifact_uri"], "model/MLmodel", b"a: [1, 2")
    create(client, source=f"runs:/{run['run_id']}/model", run_id=run["run_id"])
    assert "MLmodel file cannot be read" in stored(client).signature["declared"]["problem"]
    assert stored(client).digests == {}


def test_a_copied_version_is_of_the_same_files(client, model):
    create(client, source=f"models:/{model['model_id']}", model_id=model["model_id"])
    client.post("registered-models/create", name="copy")
    client.post("registered-models/alias", name="churn", alias="best", version="1")
    for source in ("models:/churn/1", "models:/churn@best", "models:/churn/latest", "models:/churn/None"):
        made = client.post(f"{VERSIONS}create", name="copy", source=source)["model_version"]
        assert made["source"] == "models:/churn/1"
        copy = stored(client, int(made["version"]), "copy")
        assert copy.digests == stored(client).digests
        assert copy.location == stored(client).location


@pytest.mark.parametrize(
    "source",
    [
        "/etc/passwd",
        "file:///etc/passwd",
        "file:/tmp/x",
        "s3://bucket/model",
        "http:///127.0.0.1/x",
        "http://evil.example/api/2.0/mlflow-artifacts/artifacts/1/x",
        "mlflow-artifacts://evil.example/1/x",
        "mlflow-artifacts:/runs/abc/model",
        "mlflow-artifacts:/0/other/artifacts/model",
        "mlflow-artifacts:relative",
        "runs:/" + "0" * 32 + "/model",
        "models:/",
        "models:/m-" + "0" * 32,
        "models:/nobody/1",
        "models:/churn/9",
        "models://host/churn/1",
        "C:\\model",
        "",
        "dummy-source",
        "x" * 5000,
    ],
)
def test_a_source_that_is_foreign_local_or_anothers_is_refused(client, run, source):
    body = client.ask(
        "POST", f"{VERSIONS}create", expect=404 if "nobody" in source or "/9" in source else 400,
        name="churn", source=source, run_id=run["run_id"],
    )  # fmt: skip
    assert body["error_code"] in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    assert "latest_versions" not in client.get("registered-models/get", name="churn")["registered_model"]


@pytest.mark.parametrize(
    "ending",
    [
        "/../../x",
        "/%2e%2e/x",
        "/%252e%252e/x",
        "/a#b",
        "/a?b",
        "/a;b",
        "/a%23b",
        "/a%3Fb",
        "//x",
        "\\x",
        "/a%00",
        "-other",
    ],
)
def test_a_source_that_leaves_its_run_is_refused(client, run, ending):
    for root in (run["artifact_uri"], f"runs:/{run['run_id']}"):
        code, _ = client.refused(f"{VERSIONS}create", name="churn", source=root + ending, run_id=run["run_id"])
        assert code == "INVALID_PARAMETER_VALUE"


def test_a_source_of_another_run_or_model_is_refused(client, run, model):
    other = client.post("runs/create", experiment_id=run["experiment_id"])["run"]["info"]
    for source, ids in (
        (f"{other['artifact_uri']}/model", {"run_id": run["run_id"]}),
        (f"{run['artifact_uri']}/model", {}),
        (model["artifact_uri"], {"run_id": run["run_id"]}),
        (f"models:/{model['model_id']}", {}),
        (f"models:/{model['model_id']}", {"model_id": "m-" + "1" * 32}),
        (f"{run['artifact_uri']}/model", {"model_id": model["model_id"]}),
    ):
        code, message = client.refused(f"{VERSIONS}create", name="churn", source=source, **ids)
        assert code == "INVALID_PARAMETER_VALUE"
        assert "Invalid model version source" in message


def test_prompts_are_versions_without_files(client):
    prompt = {"key": "mlflow.prompt.is_prompt", "value": "true"}
    text = {"key": "mlflow.prompt.text", "value": "hello {{name}}"}
    client.post("registered-models/create", name="greet", tags=[prompt])
    made = client.post(f"{VERSIONS}create", name="greet", source="dummy-source", tags=[prompt, text])["model_version"]
    assert text in made["tags"]
    refused = client.refused(f"{VERSIONS}create", name="greet", source="s3://x", tags=[prompt])
    assert "placeholder" in refused[1]
    client.post("registered-models/create", name="churn")
    assert "Prompt" in client.refused(f"{VERSIONS}create", name="churn", source="models:/greet/1")[1]
    long = {"key": "mlflow.prompt.text", "value": "x" * 100_001}
    assert client.refused(f"{VERSIONS}create", name="greet", source="dummy-source", tags=[prompt, long])[0]


def test_a_version_of_nobody_is_refused(client, run):
    fields = {"source": f"runs:/{run['run_id']}/m", "run_id": run["run_id"]}
    assert client.refused(f"{VERSIONS}create", expect=404, name="nobody", **fields)[0] == "RESOURCE_DOES_NOT_EXIST"


@pytest.fixture
def three(client, run):
    for _ in range(3):
        create(client, source=f"runs:/{run['run_id']}/m", run_id=run["run_id"])


def stages(client):
    found = client.get(f"{VERSIONS}search", filter="name = 'churn'", order_by=["version_number"])["model_versions"]
    return {each["version"]: each["current_stage"] for each in found}


def test_a_stage_takes_a_version_and_may_archive_the_others(client, three):
    move = f"{VERSIONS}transition-stage"
    client.post(move, name="churn", version="1", stage="production")
    client.post(move, name="churn", version="2", stage="Production")
    assert stages(client) == {"1": "Production", "2": "Production", "3": "None"}
    client.post(move, name="churn", version="3", stage="Production", archive_existing_versions=True)
    assert stages(client) == {"1": "Archived", "2": "Archived", "3": "Production"}
    code, message = client.refused(move, name="churn", version="3", stage="Best")
    assert (code, "None, Staging, Production, Archived" in message) == ("INVALID_PARAMETER_VALUE", True)
    refused = client.refused(move, name="churn", version="3", stage="None", archive_existing_versions=True)
    assert "not an Active stage" in refused[1]
    assert stages(client)["3"] == "Production"


def test_a_deleted_version_is_gone_everywhere(client, three):
    client.post("registered-models/alias", name="churn", alias="best", version="2")
    assert client.ask("DELETE", f"{VERSIONS}delete", name="churn", version="2") == {}
    code, message = client.refused(f"{VERSIONS}get", method="GET", expect=404, name="churn", version="2")
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", "Model Version (name=churn, version=2) not found")
    assert client.refused("registered-models/alias", method="GET", name="churn", alias="best")[0]
    assert sorted(stages(client)) == ["1", "3"]
    assert client.refused(f"{VERSIONS}delete", method="DELETE", expect=404, name="churn", version="2")[0]


def test_tags_and_description_of_a_version(client, three):
    ids = {"name": "churn", "version": "1"}
    assert client.post(f"{VERSIONS}set-tag", **ids, key="k", value="v") == {}
    changed = client.ask("PATCH", f"{VERSIONS}update", **ids, description="d")["model_version"]
    assert (changed["tags"], changed["description"]) == ([{"key": "k", "value": "v"}], "d")
    assert client.ask("DELETE", f"{VERSIONS}delete-tag", **ids, key="k") == {}
    assert "tags" not in client.get(f"{VERSIONS}get", **ids)["model_version"]
    missing = {"name": "churn", "version": "9", "key": "k"}
    assert client.refused(f"{VERSIONS}set-tag", expect=404, **missing, value="v")[0] == "RESOURCE_DOES_NOT_EXIST"
    assert client.refused(f"{VERSIONS}get", method="GET", name="churn", version="1.5")[0] == "INVALID_PARAMETER_VALUE"


def numbers(answer):
    return [each["version"] for each in answer.get("model_versions", [])]


def test_versions_are_found(client, run, three):
    search = f"{VERSIONS}search"
    client.post(f"{VERSIONS}set-tag", name="churn", version="2", key="k", value="Red")
    assert numbers(client.get(search)) == ["3", "2", "1"]
    assert numbers(client.get(search, filter=f"run_id = '{run['run_id']}' and version_number > 1")) == ["3", "2"]
    assert numbers(client.get(search, filter="tags.k ILIKE 'r%'")) == ["2"]
    assert numbers(client.get(search, filter="name IN ('churn', 'x')", order_by=["version_number ASC"])) == [
        "1",
        "2",
        "3",
    ]
    assert numbers(client.get(search, filter="source_path LIKE 'runs:/%'", max_results=1)) == ["3"]
    page = client.get(search, max_results=2)
    assert numbers(client.get(search, max_results=2, page_token=page["next_page_token"])) == ["1"]
    for fields in ({"filter": "version_number = 'x'"}, {"filter": "source IN ('x')"}, {"max_results": 200_001}):
        assert client.refused(search, method="GET", **fields)[0] == "INVALID_PARAMETER_VALUE"
