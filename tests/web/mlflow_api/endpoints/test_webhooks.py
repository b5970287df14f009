import pytest
from tests.app.receiver import receiver

EVENTS = [{"entity": "MODEL_VERSION", "action": "CREATED"}]


@pytest.fixture
def inside(monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_ALLOW", "127.0.0.1/32")
    monkeypatch.setenv("HOMEOSTAT_WEBHOOK_SCHEMES", "https,http")


def make(client, url="https://8.8.8.8/hook", name="w", **more):
    return client.post("webhooks", name=name, url=url, events=EVENTS, **more)["webhook"]


def test_a_webhook_reads_back_without_its_secret(client):
    made = make(client, description="d", secret="hush")
    assert made.pop("webhook_id")
    assert made == {
        "name": "w",
        "url": "https://8.8.8.8/hook",
        "events": EVENTS,
        "status": "ACTIVE",
        "description": "d",
        "creation_timestamp": 1767323045678,
        "last_updated_timestamp": 1767323045678,
    }


def test_changes_touch_what_they_name(client):
    made = make(client, description="d")
    path = f"webhooks/{made['webhook_id']}"
    client.ask("PATCH", path, name="other", status="DISABLED")
    found = client.get(path)["webhook"]
    assert (found["name"], found["status"], found["description"], found["url"]) == (
        "other",
        "DISABLED",
        "d",
        made["url"],
    )
    client.ask("PATCH", path, description="", events=[{"entity": "PROMPT", "action": "CREATED"}])
    found = client.get(path)["webhook"]
    assert "description" not in found
    assert found["events"] == [{"entity": "PROMPT", "action": "CREATED"}]


def test_pages_have_no_gap(client):
    names = {make(client, name=f"w{i}")["name"] for i in range(5)}
    first = client.get("webhooks", max_results=3)
    second = client.get("webhooks", max_results=3, page_token=first["next_page_token"])
    assert {each["name"] for each in first["webhooks"] + second["webhooks"]} == names
    assert "next_page_token" not in second


def test_a_deleted_one_is_gone(client):
    path = f"webhooks/{make(client)['webhook_id']}"
    assert client.ask("DELETE", path) == {}
    assert client.refused(path, method="GET", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert client.refused(path, method="DELETE", expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": "a b"},
        {"url": ""},
        {"url": "http://8.8.8.8/"},
        {"url": "ftp://8.8.8.8/"},
        {"events": []},
        {"events": "MODEL_VERSION"},
        {"events": [{"entity": "MODEL_VERSION", "action": "EXCEEDED"}]},
        {"events": [{"entity": 5, "action": "CREATED"}]},
        {"status": "SLEEPING"},
        {"secret": 5},
    ],
)
def test_a_wrong_field_is_refused_and_nothing_is_made(client, fields):
    given = {"name": "w", "url": "https://8.8.8.8/", "events": EVENTS, **fields}
    assert client.refused("webhooks", **given)[0] == "INVALID_PARAMETER_VALUE"
    assert client.get("webhooks") == {"webhooks": []}


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://localhost/", "https://169.254.169.254/", "https://[::1]/"]
)
def test_an_address_inside_is_refused(client, url):
    client.refused("webhooks", name="w", url=url, events=EVENTS, expect=403)
    made = make(client)
    client.refused(f"webhooks/{made['webhook_id']}", method="PATCH", url=url, expect=403)
    assert client.get("webhooks")["webhooks"] == [made]


@pytest.mark.usefixtures("inside")
def test_a_trial_sends_an_example_and_tells_the_answer(client):
    with receiver() as other:
        other.answer = lambda n: (200 if n == 1 else 418, {})
        made = make(client, other.url, secret="s")
        path = f"webhooks/{made['webhook_id']}/test"
        assert client.post(path)["result"] == {"success": True, "response_status": 200, "response_body": "ok"}
        assert client.post(path)["result"]["success"] is False
        assert "x-mlflow-signature" in other.got[0][1]
        assert b"example_model" in other.got[0][2]
        client.refused(path, event={"entity": "RUN", "action": "CREATED"})


def test_a_trial_of_an_address_that_became_forbidden_says_so(client, monkeypatch):
    with monkeypatch.context() as patch, receiver() as other:
        patch.setenv("HOMEOSTAT_WEBHOOK_ALLOW", "127.0.0.1/32")
        patch.setenv("HOMEOSTAT_WEBHOOK_SCHEMES", "http")
        made = make(client, other.url)
        patch.delenv("HOMEOSTAT_WEBHOOK_ALLOW")
        result = client.post(f"webhooks/{made['webhook_id']}/test")["result"]
        assert other.got == []
    assert result["success"] is False
    assert "not a public" in result["error_message"]
