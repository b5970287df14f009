"""What /openapi.json says can be sent, what it says cannot, and what is spoilt in a few places: answered or refused, and never an error of ours."""

import json
import random

import pytest
from tests.exploring import explore
from tests.web import junk


@pytest.fixture
def document(hall):
    found = hall.client.get("/openapi.json")
    assert found.status_code == 200
    return found.json()


def send(hall, seed, method, url, *, headers=None, body=b""):
    """Return the status of the answer, which is no fault of ours and says what is wrong."""
    answer = hall.client.request(method, url, content=body, headers=headers or {})
    asked = f"seed {seed}: {method} {url[:300]} {headers} {body[:500]!r}"
    explains_nothing = answer.status_code == 501 and url.endswith("/explain")  # this server has no explainers
    assert answer.status_code < 500 or explains_nothing, (asked, answer.text[:500])
    if answer.status_code >= 400 and method != "HEAD":
        told = answer.json()
        assert told.get("error") or told.get("message"), (asked, answer.text[:500])
        assert len(answer.content) < 20_000, asked
    return answer.status_code


def asked(hall, document, seed, *, examples, most=None):
    """Send what fits the document and what does not, so many of each for so many operations, or all."""
    statuses = []

    def check(method, url, headers, body):
        statuses.append(send(hall, seed, method, url, headers=headers, body=body))

    operations = explore(document, check, seed=seed, examples=examples, most=most)
    assert len(statuses) > operations


def test_what_schemathesis_makes_of_the_document_is_answered(hall, document, seed):
    asked(hall, document, seed, examples=1, most=8)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_much_of_what_schemathesis_makes_of_the_document_is_answered(hall, document, seed):
    asked(hall, document, seed, examples=150)


def spoil(hall, document, seed, *, count):
    """Send the document's own examples with a few places changed."""
    dice = random.Random(seed)
    asked = [
        (path, content["application/json"]["schema"]["examples"][0])
        for path, methods in document["paths"].items()
        for content in [methods.get("post", {}).get("requestBody", {}).get("content", {})]
        if "examples" in content.get("application/json", {}).get("schema", {})
    ]
    assert len(asked) >= 6
    statuses = {}
    for _ in range(count):
        path, body = dice.choice(asked)
        for _ in range(dice.choice((0, 1, 1, 1, 2, 3))):
            body = junk.spoilt(dice, body)
        status = send(
            hall,
            seed,
            "POST",
            path.replace("{version}", "3"),
            headers={"content-type": "application/json"},
            body=json.dumps(body).encode(),
        )
        statuses[status // 100] = statuses.get(status // 100, 0) + 1
    assert min(statuses.get(2, 0), statuses.get(4, 0)) > count / 20, statuses


def test_spoilt_examples_are_answered_or_refused(hall, document, seed):
    spoil(hall, document, seed, count=600)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_very_many_spoilt_examples_are_answered_or_refused(hall, document, seed):
    spoil(hall, document, seed, count=60_000)
