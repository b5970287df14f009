import asyncio
import json

import pytest

from homeostat.web.safety import MOST_QUERY_BYTES, Safety, middleware_options

HOST = "127.0.0.1:5000"
CREATE = "/api/2.0/mlflow/runs/create"
JSON = {"content-type": "application/json", "content-length": "2"}


class Reached(Exception):
    pass


async def app(scope, receive, send):
    raise Reached


def ask(method, path, *, host=HOST, headers=None, query=b"", raw=None, repeat=(), **options):
    """Return the status and answer of a refusal; raise Reached where the request passed."""
    given = [(b"host", host.encode())] if host is not None else []
    given += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    given += list(repeat)
    scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": given}
    if raw is not None:
        scope["raw_path"] = raw
    sent = []

    async def send(message):
        sent.append(message)

    guarded = Safety(app, **{**middleware_options("127.0.0.1"), **options})
    asyncio.run(guarded(scope, None, send))
    return sent[0]["status"], json.loads(sent[1]["body"])


def passes(*args, **options):
    with pytest.raises(Reached):
        ask(*args, **options)


@pytest.mark.parametrize("host", ["127.0.0.1:5000", "localhost", "LOCALHOST:1", "[::1]:5000", "localhost."])
def test_its_own_names_pass(host):
    passes("GET", "/api/v1/status", host=host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost:5000@evil.example",
        "127.0.0.1, evil.example",
        "",
        "10.0.0.1",
        None,
    ],
)
def test_a_foreign_host_is_refused(host):
    status, body = ask("GET", CREATE, host=host)
    assert status == 403
    assert body["error_code"] == "PERMISSION_DENIED"


def test_two_hosts_are_refused():
    status, _ = ask("GET", CREATE, repeat=[(b"host", b"127.0.0.1")])
    assert status == 403


def test_health_and_version_are_open_to_everyone_and_only_for_reading():
    for path in ("/health", "/version"):
        passes("GET", path, host="probe.cluster.internal")
        assert ask("POST", path, host="probe.cluster.internal")[0] == 403
    assert ask("GET", "/health/", host="evil.example")[0] == 403


def test_names_can_be_added_by_the_environment(monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_ALLOWED_HOSTS", "ml.example, other.example")
    monkeypatch.setenv("HOMEOSTAT_ALLOWED_ORIGINS", "https://pages.example")
    passes("GET", "/", host="ml.example:80", **middleware_options("127.0.0.1"))
    origin = {**JSON, "origin": "https://pages.example"}
    passes("POST", CREATE, headers=origin, **middleware_options("127.0.0.1"))


def test_bound_to_every_address_it_answers_to_addresses_and_to_no_unknown_name():
    options = middleware_options("0.0.0.0")
    passes("GET", "/", host="192.168.1.7:5000", **options)
    assert ask("GET", "/", host="rebound.example:5000", **options)[0] == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1:3000", "http://127.0.0.1", "file://", "x"]
)
def test_a_change_from_a_page_of_another_origin_is_refused(origin):
    status, body = ask("POST", CREATE, headers={**JSON, "origin": origin})
    assert status == 403
    assert "Cross-origin" in body["message"]
    passes("GET", CREATE, headers={"origin": origin})


def test_a_change_from_its_own_page_or_from_no_page_passes():
    passes("POST", CREATE, headers={**JSON, "origin": "http://127.0.0.1:5000"})
    passes("POST", CREATE, headers={**JSON, "origin": "https://ml.example"}, host="ml.example", hosts=["ml.example"])
    passes("DELETE", CREATE)
    passes("POST", CREATE, headers=JSON)


def test_a_browser_that_hides_the_origin_still_says_that_it_is_foreign():
    assert ask("POST", CREATE, headers={**JSON, "sec-fetch-site": "cross-site"})[0] == 403


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_what_a_form_can_send_is_never_read(kind):
    status, body = ask("POST", CREATE, headers={"content-type": kind, "content-length": "9"})
    assert status == 400
    assert "application/json" in body["message"]
    assert ask("DELETE", "/api/v1/cycles", headers={"content-type": kind})[0] == 400


def test_a_body_of_no_type_is_refused_and_no_body_needs_none():
    assert ask("POST", CREATE, headers={"content-length": "9"})[0] == 400
    assert ask("POST", CREATE, headers={"transfer-encoding": "chunked"})[0] == 400
    passes("POST", CREATE, headers={"content-length": "0"})


def test_files_may_be_of_any_type():
    passes(
        "PUT",
        "/api/2.0/mlflow-artifacts/artifacts/1/a.txt",
        headers={"content-type": "text/plain", "content-length": "9"},
    )
    passes("PUT", "/ajax-api/2.0/mlflow-artifacts/mpu/part/x/1", headers={"content-length": "9"})


@pytest.mark.parametrize(
    "path",
    [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/%252e%252e/b",
        "/a/..%2fb",
        "/a\\b",
        "/a/%5cb",
        "/a/%255c..",
        "/a\0",
        "/a%00b",
        "/..",
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(path):
    for place in (path, f"/api/2.0/mlflow-artifacts/artifacts{path}"):
        status, body = ask("GET", place)
        assert status == 400
        assert "path" in body["message"]
        assert ask("PUT", place)[0] == 400


def test_the_path_as_it_was_sent_counts_too():
    assert ask("GET", "/a/b", raw=b"/a/x/%2e%2e/b")[0] == 400
    passes("GET", "/a/b c", raw=b"/a/b%20c?x=../y")
    passes("GET", "/a/50% off", raw=b"/a/50%25%20off")


def test_endless_addresses_are_refused():
    assert ask("GET", "/", query=b"a" * (MOST_QUERY_BYTES + 1))[0] == 400
    assert ask("GET", "/" + "a" * 9000)[0] == 400


def test_the_native_api_is_answered_in_its_own_words():
    _, body = ask("GET", "/api/v1/status", host="evil.example")
    assert body["error"]["code"] == "permission_denied"


def received(messages, *, stalled_s):
    """Return what an application receives, one message after the other until the client is gone or the body whole."""
    got = []

    async def app(scope, receive, send):
        got.append(await receive())
        while got[-1].get("more_body"):
            got.append(await receive())

    async def receive():
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    scope = {
        "type": "http",
        "method": "POST",
        "path": CREATE,
        "query_string": b"",
        "headers": [(b"host", HOST.encode()), (b"content-type", b"application/json")],
    }
    asyncio.run(Safety(app, **middleware_options("127.0.0.1"), stalled_s=stalled_s)(scope, receive, None))
    return got


def test_a_client_that_stops_in_the_midst_of_its_body_is_given_up():
    begun = {"type": "http.request", "body": b"{", "more_body": True}
    assert received([begun], stalled_s=0.01) == [begun, {"type": "http.disconnect"}]


def test_a_body_that_comes_passes_as_it_is():
    parts = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.request", "body": b"}"}]
    assert received(list(parts), stalled_s=5.0) == parts
