import pytest

from homeostat.audit.log import verify

MODELS = "registered-models/"


def create(client, name="churn", **fields):
    return client.post(f"{MODELS}create", name=name, **fields)["registered_model"]


def a_version(client, name="churn"):
    run = client.post("runs/create", experiment_id="0")["run"]["info"]
    source = f"{run['artifact_uri']}/model"
    made = client.post("model-versions/create", name=name, source=source, run_id=run["run_id"])
    return made["model_version"]["version"]


def kinds(client):
    with client.desk.store.read() as tx:
        return [event.kind for event in tx.audit.events()]


def test_a_model_is_created_read_described_and_deleted(client):
    made = create(client, description="d", tags=[{"key": "k", "value": "1"}, {"key": "k", "value": "2"}])
    assert made["name"] == "churn"
    assert made["tags"] == [{"key": "k", "value": "2"}]
    assert isinstance(made["creation_timestamp"], int)
    assert client.get(f"{MODELS}get", name="churn")["registered_model"] == made
    changed = client.ask("PATCH", f"{MODELS}update", name="churn", description="e")["registered_model"]
    assert changed["description"] == "e"
    assert client.ask("DELETE", f"{MODELS}delete", name="churn") == {}
    code, message = client.refused(f"{MODELS}get", method="GET", expect=404, name="churn")
    assert (code, message) == ("RESOURCE_DOES_NOT_EXIST", "Registered Model with name=churn not found")
    assert kinds(client) == ["registered_model.created", "registered_model.updated", "registered_model.deleted"]
    assert verify(client.desk.store) == 3


def test_a_name_that_is_taken_is_refused(client):
    create(client)
    code, message = client.refused(f"{MODELS}create", name="churn")
    assert (code, message) == ("RESOURCE_ALREADY_EXISTS", "Registered Model (name=churn) already exists.")
    prompt = [{"key": "mlflow.prompt.is_prompt", "value": "true"}]
    code, message = client.refused(f"{MODELS}create", name="churn", tags=prompt)
    assert code == "RESOURCE_ALREADY_EXISTS"
    assert "already taken by a registered model" in message
    assert kinds(client) == ["registered_model.created"]


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b", "..", ".", "x" * 300, None])
def test_what_cannot_be_a_name_is_refused(client, name):
    code, _ = client.refused(f"{MODELS}create", name=name)
    assert code == "INVALID_PARAMETER_VALUE"
    assert kinds(client) == []


@pytest.mark.parametrize(
    ("key", "value"), [("", "x"), ("a" * 251, "x"), ("a", "x" * 100_001), ("../a", "x"), ("a\nb", "x"), ("/a", "x")]
)
def test_what_cannot_be_a_tag_is_refused(client, key, value):
    create(client)
    assert client.refused(f"{MODELS}set-tag", name="churn", key=key, value=value)[0] == "INVALID_PARAMETER_VALUE"
    assert "tags" not in client.get(f"{MODELS}get", name="churn")["registered_model"]


def test_tags_come_and_go(client):
    create(client)
    assert client.post(f"{MODELS}set-tag", name="churn", key="team/x", value="ü") == {}
    assert client.get(f"{MODELS}get", name="churn")["registered_model"]["tags"] == [{"key": "team/x", "value": "ü"}]
    assert client.ask("DELETE", f"{MODELS}delete-tag", name="churn", key="team/x") == {}
    assert client.ask("DELETE", f"{MODELS}delete-tag", name="churn", key="team/x") == {}
    assert (
        client.refused(f"{MODELS}set-tag", expect=404, name="other", key="k", value="v")[0] == "RESOURCE_DOES_NOT_EXIST"
    )
    assert kinds(client).count("registered_model.tag_deleted") == 1


def test_a_rename_keeps_versions(client):
    create(client)
    a_version(client)
    renamed = client.post(f"{MODELS}rename", name="churn", new_name="loss")["registered_model"]
    assert renamed["latest_versions"][0]["name"] == "loss"
    client.refused(f"{MODELS}get", method="GET", expect=404, name="churn")
    create(client, "churn")
    assert client.refused(f"{MODELS}rename", name="loss", new_name="churn")[0] == "RESOURCE_ALREADY_EXISTS"
    assert client.refused(f"{MODELS}rename", name="loss", new_name="a/b")[0] == "INVALID_PARAMETER_VALUE"


def test_an_alias_names_a_version_and_a_missing_one_answers_400(client):
    create(client)
    number = a_version(client)
    assert client.post(f"{MODELS}alias", name="churn", alias="best", version=number) == {}
    found = client.get(f"{MODELS}alias", name="churn", alias="best")["model_version"]
    assert (found["version"], found["aliases"]) == (number, ["best"])
    latest = client.get(f"{MODELS}alias", name="churn", alias="latest")["model_version"]
    assert latest["version"] == number
    assert client.ask("DELETE", f"{MODELS}alias", name="churn", alias="best") == {}
    assert client.ask("DELETE", f"{MODELS}alias", name="churn", alias="best") == {}
    code, message = client.refused(f"{MODELS}alias", method="GET", name="churn", alias="best")
    assert (code, message) == ("INVALID_PARAMETER_VALUE", "Registered model alias best not found.")
    assert kinds(client)[-2:] == ["alias.moved", "alias.removed"]


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V23", "a b", "a@b", "", "x" * 256])
def test_what_cannot_be_an_alias_is_refused(client, alias):
    create(client)
    number = a_version(client)
    assert client.refused(f"{MODELS}alias", name="churn", alias=alias, version=number)[0] == "INVALID_PARAMETER_VALUE"


def test_an_alias_of_a_version_that_is_not_there_is_refused(client):
    create(client)
    assert (
        client.refused(f"{MODELS}alias", expect=404, name="churn", alias="a", version="3")[0]
        == "RESOURCE_DOES_NOT_EXIST"
    )
    assert client.refused(f"{MODELS}alias", name="churn", alias="a", version="x")[0] == "INVALID_PARAMETER_VALUE"
    too_large = str(2**62)
    assert (
        client.refused(f"{MODELS}alias", expect=404, name="churn", alias="a", version=too_large)[0]
        == "RESOURCE_DOES_NOT_EXIST"
    )


def test_without_a_loop_champion_is_an_alias_like_any(client):
    create(client)
    number = a_version(client)
    client.post(f"{MODELS}alias", name="churn", alias="champion", version=number)
    assert client.get(f"{MODELS}alias", name="churn", alias="champion")["model_version"]["version"] == number
    client.ask("DELETE", f"{MODELS}alias", name="churn", alias="champion")


def test_the_newest_version_of_each_stage_is_told(client):
    create(client)
    for stage in ("Staging", "Production", "Staging", "None"):
        number = a_version(client)
        client.post("model-versions/transition-stage", name="churn", version=number, stage=stage)
    found = client.post(f"{MODELS}get-latest-versions", name="churn")["model_versions"]
    assert {(each["current_stage"], each["version"]) for each in found} == {
        ("Production", "2"),
        ("Staging", "3"),
        ("None", "4"),
    }
    found = client.get(f"{MODELS}get-latest-versions", name="churn", stages=["staging"])["model_versions"]
    assert [each["version"] for each in found] == ["3"]
    code, message = client.refused(f"{MODELS}get-latest-versions", name="churn", stages=["Best"])
    assert code == "INVALID_PARAMETER_VALUE"
    assert "None, Staging, Production, Archived" in message


def names(answer):
    return [each["name"] for each in answer.get("registered_models", [])]


def test_models_are_found_by_filter_in_order_and_in_pages(client):
    for name in ("alpha", "Beta", "gamma"):
        create(client, name, tags=[{"key": "team", "value": name[0]}])
    create(client, "greet", tags=[{"key": "mlflow.prompt.is_prompt", "value": "true"}])
    search = f"{MODELS}search"
    assert names(client.get(search)) == ["Beta", "alpha", "gamma"]
    assert names(client.get(search, filter="name ILIKE '%a%' AND tags.team = 'B'")) == ["Beta"]
    assert names(client.get(search, filter="tags.`mlflow.prompt.is_prompt` = 'true'")) == ["greet"]
    assert names(client.get(search, filter="tag.`mlflow.prompt.is_prompt` != 'true'")) == ["Beta", "alpha", "gamma"]
    assert names(client.get(search, order_by=["name DESC"])) == ["gamma", "alpha", "Beta"]
    first = client.get(search, max_results=2)
    assert names(first) == ["Beta", "alpha"]
    rest = client.get(search, max_results=2, page_token=first["next_page_token"])
    assert names(rest) == ["gamma"]
    assert "next_page_token" not in rest


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": "name"},
        {"filter": "name = 3"},
        {"filter": "owner = 'x'"},
        {"filter": "name = 'a' OR name = 'b'"},
        {"filter": "metrics.a > 1"},
        {"filter": "x" * 600_000},
        {"order_by": ["owner"]},
        {"order_by": ["name", "name"]},
        {"max_results": 1001},
        {"max_results": 0},
        {"max_results": "many"},
        {"page_token": "nonsense"},
        {"page_token": "eyJvZmZzZXQiOiAtMX0="},
    ],
)
def test_a_search_that_cannot_be_is_refused(client, fields):
    assert client.refused(f"{MODELS}search", method="GET", **fields)[0] == "INVALID_PARAMETER_VALUE"
