import json

import pytest
from tests.web.mlflow_api.desk import open_client

from homeostat.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from homeostat.web.mlflow_api.endpoint import Endpoint, Read, Work, Write


def raises(error):
    def handler(_call, _desk):
        raise error

    return handler


async def awaited(_call, _desk):
    return {"from": "loop"}


def counting(call, _desk):
    def work(tx):
        if call.fields.get("bad"):
            raise NotFound("no such thing")
        tx.watch.set_state("count", {"n": (tx.watch.get_state("count") or {"n": 0})["n"] + 1})
        return {"n": tx.watch.get_state("count")["n"]}

    return Write(work)


ENDPOINTS = (
    Endpoint("GET", "plain", lambda _call, _desk: {"a": 1}),
    Endpoint("GET", "read", lambda _call, _desk: Read(lambda tx: {"runs": len(tx.runs.recent())})),
    Endpoint("GET", "work", lambda _call, _desk: Work(lambda: {"worked": True})),
    Endpoint("POST", "count", counting),
    Endpoint("GET", "await", awaited),
    Endpoint("GET", "things/{name}", lambda call, _desk: {"name": call.params["name"]}),
    Endpoint("GET", "things/{name}/{rest:path}", lambda call, _desk: dict(call.params)),
    Endpoint("GET", "things/known", lambda _call, _desk: {"name": "literal"}),
    Endpoint("POST", "small", lambda call, _desk: {"got": call.fields}, body_limit=100),
    *(
        Endpoint("GET", f"raise/{type(error).__name__}", raises(error))
        for error in (NotFound("x"), AlreadyExists("x"), InvalidInput("x"), Conflict("x"), ZeroDivisionError("secret"))
    ),
)


@pytest.fixture
def client(tmp_path):
    with open_client(tmp_path, endpoints=ENDPOINTS) as opened:
        yield opened


def test_work_is_done_where_the_handler_says(client):
    assert client.get("plain") == {"a": 1}
    assert client.get("read") == {"runs": 0}
    assert client.get("work") == {"worked": True}
    assert client.get("await") == {"from": "loop"}
    assert [client.post("count")["n"] for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("base", ["/api/2.0", "/api/3.0", "/ajax-api/2.0", "/ajax-api/3.0"])
def test_every_base_path_answers(client, base):
    assert client.send("GET", f"{base}/mlflow/plain")[0] == 200


def test_literal_paths_come_before_patterns(client):
    assert client.get("things/known") == {"name": "literal"}
    assert client.get("things/other") == {"name": "other"}
    assert client.get("things/a/b/c") == {"name": "a", "rest": "b/c"}


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("NotFound", 404, "RESOURCE_DOES_NOT_EXIST"),
        ("AlreadyExists", 400, "RESOURCE_ALREADY_EXISTS"),
        ("InvalidInput", 400, "INVALID_PARAMETER_VALUE"),
        ("Conflict", 400, "INVALID_PARAMETER_VALUE"),
        ("ZeroDivisionError", 500, "INTERNAL_ERROR"),
    ],
)
def test_errors_have_the_codes_that_clients_know(client, name, status, code):
    body = client.get(f"raise/{name}", expect=status)
    assert body["error_code"] == code
    assert "secret" not in body["message"]


def test_an_unknown_path_and_a_wrong_method_say_so(client):
    assert client.refused("nothing", method="GET", expect=404)[0] == "ENDPOINT_NOT_FOUND"
    assert client.refused("plain", expect=405) == (
        "ENDPOINT_NOT_FOUND",
        "POST is not answered at /api/2.0/mlflow/plain; GET is.",
    )


def test_a_body_that_is_too_large_or_no_json_object_is_refused(client):
    assert client.send("POST", "/api/2.0/mlflow/small", body=b'{"a":1}')[0] == 200
    for body in (b'{"a":"' + b"x" * 100 + b'"}', b"[1]", b"{", b"\xff", b"[" * 90, b"3"):
        status, _, told = client.send("POST", "/api/2.0/mlflow/small", body=body)
        assert status == 400, body
        assert json.loads(told)["error_code"] in {"INVALID_PARAMETER_VALUE", "BAD_REQUEST"}


@pytest.mark.parametrize(
    "kind", [{}, {"content-type": "text/plain"}, {"content-type": "application/x-www-form-urlencoded"}]
)
def test_a_body_that_does_not_say_it_is_json_is_refused(client, kind):
    assert client.send("POST", "/api/2.0/mlflow/count", body=b'{"a":1}', headers=kind)[0] == 400
    assert client.post("count") == {"n": 1}


def test_a_change_that_raises_changes_nothing(client):
    client.post("count")
    assert client.refused("count", bad=True, expect=404)[0] == "RESOURCE_DOES_NOT_EXIST"
    assert client.post("count") == {"n": 2}


def test_two_endpoints_cannot_claim_one_path(tmp_path):
    with pytest.raises(ValueError, match="two endpoints"), open_client(tmp_path, endpoints=[ENDPOINTS[0]] * 2):
        pass


def test_the_whole_api_is_discovered_and_says_what_it_speaks(tmp_path):
    with open_client(tmp_path) as client:
        assert client.send("GET", "/health")[2] == b"OK"
        assert client.send("GET", "/version")[2].startswith(b"3.")
        assert client.get("server-info")["store_type"] == "SqlStore"
