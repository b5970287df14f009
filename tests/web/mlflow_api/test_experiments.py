import pytest


def test_experiment_0_is_there_from_the_start(client):
    found = client.get("experiments/get", experiment_id="0")["experiment"]
    assert (found["name"], found["lifecycle_stage"]) == ("Default", "active")
    assert found["artifact_location"] == "mlflow-artifacts:/0"


def test_an_experiment_reads_back_as_it_was_made(client):
    made = client.post("experiments/create", name="a", tags=[{"key": "k", "value": "v"}])["experiment_id"]
    by_id = client.get("experiments/get", experiment_id=made)["experiment"]
    assert by_id == client.get("experiments/get-by-name", experiment_name="a")["experiment"]
    assert by_id["tags"] == [{"key": "k", "value": "v"}]
    assert by_id["artifact_location"] == f"mlflow-artifacts:/{made}"


def test_a_name_is_taken_by_a_deleted_experiment_too(client):
    made = client.post("experiments/create", name="a")["experiment_id"]
    assert client.refused("experiments/create", name="a")[0] == "RESOURCE_ALREADY_EXISTS"
    client.post("experiments/delete", experiment_id=made)
    assert client.refused("experiments/create", name="a")[0] == "RESOURCE_ALREADY_EXISTS"
    other = client.post("experiments/create", name="b")["experiment_id"]
    assert client.refused("experiments/update", experiment_id=other, new_name="a")[0] == "RESOURCE_ALREADY_EXISTS"


def test_deleting_takes_the_runs_along_and_restoring_brings_them_back(client):
    made = client.post("experiments/create", name="a")["experiment_id"]
    run = client.post("runs/create", experiment_id=made)["run"]["info"]["run_id"]
    client.post("experiments/delete", experiment_id=made)
    assert client.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "deleted"
    assert "must be in the 'active' state" in client.refused("runs/create", experiment_id=made)[1]
    assert client.refused("experiments/delete", experiment_id=made, expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert "non-active" in client.refused("experiments/update", experiment_id=made, new_name="x")[1]
    client.post("experiments/restore", experiment_id=made)
    assert client.get("runs/get", run_id=run)["run"]["info"]["lifecycle_stage"] == "active"
    assert client.refused("experiments/restore", experiment_id=made, expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    with client.desk.store.read() as tx:
        kinds = [event.kind for event in tx.audit.events(subject=f"experiment:{made}")]
    assert kinds == ["experiment.created", "experiment.deleted", "experiment.restored"]


def test_tags_are_set_and_taken_away(client):
    client.post("experiments/set-experiment-tag", experiment_id="0", key="k", value="1")
    client.post("experiments/set-experiment-tag", experiment_id="0", key="k", value="2")
    assert client.get("experiments/get", experiment_id="0")["experiment"]["tags"] == [{"key": "k", "value": "2"}]
    client.post("experiments/delete-experiment-tag", experiment_id="0", key="k")
    gone = client.refused("experiments/delete-experiment-tag", experiment_id="0", key="k", expect=404)
    assert gone == ("RESOURCE_DOES_NOT_EXIST", "No tag with name: k in experiment with id 0")


def test_searching(client):
    for name in ("alpha", "Beta", "gamma"):
        tags = [{"key": "team", "value": name[0]}]
        client.post("experiments/create", name=name, tags=tags)
    client.post("experiments/delete", experiment_id="1")

    def names(**fields):
        return [
            one["name"] for one in client.post("experiments/search", max_results=10, **fields).get("experiments", [])
        ]

    assert set(names()) == {"Default", "Beta", "gamma"}
    assert names(view_type="DELETED_ONLY") == ["alpha"]
    assert len(names(view_type=3)) == 4
    assert names(order_by=["name DESC"]) == ["gamma", "Default", "Beta"]
    assert names(filter="name LIKE '%a'", order_by=["name"]) == ["Beta", "gamma"]
    assert names(filter="name ILIKE 'BETA'") == ["Beta"]
    assert names(filter="tags.team = 'g'") == ["gamma"]
    assert names(filter="tags.team IS NULL") == ["Default"]
    assert names(filter="experiment_id IN ('2', '77')") == ["Beta"]


def test_pages_follow_one_another_without_gaps(client):
    for number in range(7):
        client.post("experiments/create", name=f"e{number}")
    found, token = [], None
    while True:
        page = client.post("experiments/search", max_results=3, order_by=["name"], page_token=token)
        found += [one["name"] for one in page["experiments"]]
        token = page.get("next_page_token")
        if token is None:
            break
    assert found == ["Default", *(f"e{number}" for number in range(7))]


@pytest.mark.parametrize(
    ("path", "fields", "told"),
    [
        ("experiments/create", {}, "Missing value for required parameter 'name'"),
        ("experiments/create", {"name": ""}, "Missing value for required parameter 'name'"),
        ("experiments/create", {"name": 3}, "Invalid value 3 for parameter 'name' supplied"),
        ("experiments/create", {"name": "x" * 501}, "'name' exceeds the maximum length of 500"),
        ("experiments/create", {"name": "x", "artifact_location": "/etc"}, "/etc"),
        ("experiments/create", {"name": "x", "artifact_location": "file:///etc"}, "file:///etc"),
        ("experiments/create", {"name": "x", "artifact_location": "mlflow-artifacts:/a/../b"}, "Invalid path"),
        ("experiments/create", {"name": "x", "tags": [{"key": "k", "value": "v" * 20001}]}, "maximum length of 20000"),
        ("experiments/search", {}, "must be at least 1, but got value 0"),
        ("experiments/search", {"max_results": 50001}, "at most 50000"),
        ("experiments/search", {"max_results": 1, "view_type": "SOME"}, "parameter 'view_type'"),
        ("experiments/search", {"max_results": 1, "filter": "metrics.a > 1"}, "Invalid entity type 'metrics'"),
        ("experiments/delete", {"experiment_id": "abc"}, "Experiment ID must be a valid integer"),
        ("experiments/delete", {"experiment_id": "9" * 30}, "Experiment ID must be a valid integer"),
    ],
)
def test_wrong_calls_are_refused_and_make_nothing(client, path, fields, told):
    code, message = client.refused(path, **fields)
    assert code == "INVALID_PARAMETER_VALUE"
    assert told in message
    assert len(client.post("experiments/search", max_results=10, view_type="ALL")["experiments"]) == 1


def test_an_experiment_that_is_not_there(client):
    assert (
        client.refused("experiments/get", method="GET", experiment_id="9", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    )
    told = client.refused("experiments/get-by-name", method="GET", experiment_name="no", expect=404)
    assert told == ("RESOURCE_DOES_NOT_EXIST", "Could not find experiment with name 'no'")


def test_a_view_is_asked_for_by_word_or_number(client):
    client.post("experiments/delete", experiment_id=client.post("experiments/create", name="gone")["experiment_id"])
    for view, names in (
        (None, {"Default"}), (0, {"Default"}), ("1", {"Default"}), ("ACTIVE_ONLY", {"Default"}), (2, {"gone"}), ("ALL", {"Default", "gone"}),
    ):  # fmt: skip
        found = client.post("experiments/search", max_results=10, view_type=view)["experiments"]
        assert {each["name"] for each in found} == names
    for view in ("²", "1" * 5000, "4", 4, {}, "all"):
        assert client.refused("experiments/search", max_results=10, view_type=view)[0] == "INVALID_PARAMETER_VALUE"
