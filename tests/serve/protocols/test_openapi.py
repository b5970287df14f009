"""The document says what is served, its examples are answered, and nothing that is made from it breaks the server."""

import json

import jsonschema
import pytest
from tests.exploring import explore
from tests.serve.protocols.serving_both import Both

from homeostat.core.records.routes import Route
from homeostat.serve.protocols import doors

SEED = 20240601


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = Both(tmp_path_factory.mktemp("described"))
    yield server
    server.close()


@pytest.fixture(scope="module")
def document(one):
    return one.get("/openapi.json").json()


def posts(document):
    for path, operations in document["paths"].items():
        if "post" in operations and "requestBody" in operations["post"]:
            yield path, operations["post"]


def test_it_has_every_endpoint_and_those_of_models_once_for_each(document):
    for door in doors():
        for endpoint in door.endpoints:
            is_of_models = endpoint.schema is not None
            paths = [endpoint.path.replace("{model}", name) for name in ("late", "sum")]
            for path in paths if is_of_models else [endpoint.path]:
                assert endpoint.method.lower() in document["paths"][path]


def test_the_columns_are_those_of_the_signature(document):
    body = document["paths"]["/models/late/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    row = body["properties"]["rows"]["items"]
    assert row["required"] == ["x", "city"]
    assert row["properties"] == {"x": {"type": "number"}, "city": {"type": ["string", "null"]}}


def test_every_example_is_answered_as_the_document_says(one, document):
    tried = 0
    for path, operation in posts(document):
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        for example in schema["examples"]:
            if path.endswith("/labels"):
                example["labels"][0]["request_id"] = "mine"
            jsonschema.validate(example, schema)
            answer = one.post(path.replace("{version}", "3"), example)
            assert answer.status_code == 200, (path, answer.text)
            said = operation["responses"]["200"]["content"]["application/json"]["schema"]
            jsonschema.validate(answer.json(), said)
            tried += 1
    assert tried == 2 * 8


def test_a_model_that_nobody_answers_for_is_left_out(tmp_path):
    server = Both(tmp_path)
    server.engine.switch(Route(model="new", generation=1, champion=None))
    document = server.get("/openapi.json").json()
    assert not [path for path in document["paths"] if path.startswith("/models/new/")]
    server.close()


def test_what_schemathesis_makes_of_the_document_is_no_error_of_ours(one, document):
    paths = {path: each for path, each in document["paths"].items() if "/late/" in path and "versions" not in path}
    asked(one, {**document, "paths": paths}, examples=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_much_of_what_schemathesis_makes_of_the_document_is_no_error_of_ours(one, document):
    asked(one, document, examples=100)


def asked(one, document, *, examples):
    """Send what fits the document and what does not, so many of each for each operation."""
    statuses = set()

    def check(method, url, headers, body):
        answer = one.client.request(method, url, content=body, headers=headers)
        statuses.add(answer.status_code)
        assert answer.status_code < 500, (method, url, body[:500], answer.text)
        if answer.status_code >= 400:
            told = json.loads(answer.content)
            assert told.get("error") or told.get("message"), answer.text

    explore(document, check, seed=SEED, examples=examples)
    assert {200} < statuses
