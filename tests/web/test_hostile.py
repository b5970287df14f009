"""No request makes a door fail, hang, or answer in a shape that the document does not describe."""

import json
import random
import socket

import pytest
from tests.exploring import explore
from tests.web import junk
from tests.web.doors import control_door, furnish

from homeostat.audit.log import verify
from homeostat.storage.sql.store import open_memory_store, open_store

SHORT, DEEP = 3_000, 50_000


@pytest.fixture
def store():
    """Return where the door keeps what it is told; tests that try another take the place of this."""
    return open_memory_store()


@pytest.fixture
def behind(tmp_path, monkeypatch, store):
    """Yield (door, document, house, known)."""

    def no_names(*_args, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "no name server here")

    def no_way_out(*_args, **_options):
        raise AssertionError("the server connects to somebody whom a client named")

    monkeypatch.setattr(socket, "getaddrinfo", no_names)
    monkeypatch.setattr(socket, "create_connection", no_way_out)
    monkeypatch.setattr("homeostat.web.mlflow_api.endpoints.traces._WAITS_S", ())  # for spans that never come
    with control_door(tmp_path, store=store) as (door, house):
        known = furnish(door, house)
        yield door, json.loads(door.send("GET", "/openapi.json")[2]), house, known


def faults_of(answer, *, method, is_native):
    """Yield what is wrong with an answer."""
    status, headers, body = answer
    kind = headers.get("content-type", "").partition(";")[0]
    if status >= 500:
        yield f"status {status}"
    if status >= 400 and method != "HEAD":
        try:
            told = json.loads(body)
        except ValueError:
            yield f"{status} with a body that is not JSON: {body[:200]!r}"
            return
        told = told.get("error") if is_native else told
        wanted = {"code", "message"} if is_native else {"error_code", "message"}
        if not isinstance(told, dict) or not wanted <= told.keys() or not told["message"]:
            yield f"{status} with an error of another shape: {body[:300]!r}"
    elif kind == "application/json" and body and "attachment" not in headers.get("content-disposition", ""):
        json.loads(body)


def is_native(path):
    return path.startswith(("/api/v1/", "/metrics", "/health", "/openapi.json"))


def bombard(behind, seed, count):
    door, document, house, known = behind
    statuses = {}
    requests = junk.requests(random.Random(seed), document, known)
    for number in range(count):
        if number % 250 == 0:  # what was deleted or filled up meanwhile is there again
            house.blobs.put_bytes(f"artifacts/{known['path']}", b"flavors: {}")
        method, url, headers, body = next(requests)
        answer = door.send(method, url, headers=headers, body=body)
        path = url.partition("?")[0]
        for fault in faults_of(answer, method=method, is_native=is_native(path)):
            raise AssertionError(f"seed {seed}: {fault}: {method} {url[:500]} {headers} {body[:500]!r}")
        statuses[answer[0] // 100] = statuses.get(answer[0] // 100, 0) + 1
    assert min(statuses.get(2, 0), statuses.get(4, 0)) > count / 10, statuses  # both ways are gone
    verify(house.store)


def test_spoilt_requests_are_answered(behind, seed):
    bombard(behind, seed, SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_spoilt_requests_are_answered(behind, seed):
    bombard(behind, seed, DEEP)


class TestWithPostgres:
    """What SQLite takes, PostgreSQL may not: NUL in texts, long keys, numbers that are too large."""

    @pytest.fixture
    def store(self, postgres):
        return open_store(postgres.fresh())

    def test_spoilt_requests_are_answered(self, behind, seed):
        bombard(behind, seed, SHORT // 2)

    @pytest.mark.long
    @pytest.mark.timeout(3600)
    def test_many_spoilt_requests_are_answered(self, behind, seed):
        bombard(behind, seed, DEEP // 2)


def test_what_schemathesis_makes_of_the_document_is_answered(behind, seed):
    asked(behind, seed, examples=1, operations=30)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_much_of_what_schemathesis_makes_of_the_document_is_answered(behind, seed):
    asked(behind, seed, examples=20, operations=None)


def asked(behind, seed, *, examples, operations):
    """Send what fits the document and what does not, so many of each for so many operations, or all."""
    door, document, _, _ = behind
    sent = 0

    def check(method, url, headers, body):
        nonlocal sent
        answer = door.send(method, url, headers=headers, body=body)
        sent += 1
        native = is_native(url.partition("?")[0])
        for fault in faults_of(answer, method=method, is_native=native):
            raise AssertionError(f"seed {seed}: {fault}: {method} {url[:500]} {headers} {body[:500]!r}")

    found = explore(document, check, seed=seed, examples=examples, most=operations)
    assert sent > found
