import json

import pytest
from tests.web.doors import control_door
from tests.web.mlflow_api.desk import open_client

from homeostat.web.mlflow_api.discovery import discover
from homeostat.web.mlflow_api.reading import read


@pytest.fixture
def control(tmp_path):
    with control_door(tmp_path) as (door, _):
        status, headers, body = door.send("GET", "/openapi.json")
        assert (status, headers["content-type"]) == (200, "application/json")
        yield json.loads(body)


@pytest.fixture
def tracking(tmp_path):
    with open_client(tmp_path) as client:
        status, _, body = client.send("GET", "/openapi.json")
        assert status == 200
        yield json.loads(body)


ENDPOINTS = [each for each in discover() if each.method != "*" and not each.streams]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_every_handler_reads_to_its_end_when_it_is_given_examples(endpoint):
    assert read(endpoint).stopped is None


def test_both_documents_are_ones_that_a_tool_takes(control, tracking):
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    for document in (control, tracking):
        schema = schemathesis.openapi.from_dict(document)
        schema.validate()
        names = [each["operationId"] for path in document["paths"].values() for each in path.values()]
        assert len(names) == len(set(names)) == len([each.ok() for each in schema.get_all_operations()])


def test_every_endpoint_is_in_the_document_of_the_tracking_server(tracking):
    for endpoint in discover():
        path = endpoint.paths[0].replace(":path", "")
        assert (endpoint.method.lower() in tracking["paths"].get(path, {})) == (endpoint.method != "*")


def test_the_control_process_describes_its_own_doors_too(control, tracking):
    assert set(tracking["paths"]) - set(control["paths"]) == set()
    approval = control["paths"]["/api/v1/cycles/{cycle_id}/approval"]["post"]
    assert approval["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Approval"}
    assert control["components"]["schemas"]["Approval"]["required"] == ["approved", "by"]
    assert [each["in"] for each in approval["parameters"]] == ["path"]


def test_what_is_read_is_what_is_described(tracking):
    create = tracking["paths"]["/api/2.0/mlflow/registered-models/create"]["post"]
    schema = create["requestBody"]["content"]["application/json"]["schema"]
    assert (set(schema["properties"]), schema["required"]) == ({"name", "tags", "description"}, ["name"])
    history = tracking["paths"]["/api/2.0/mlflow/metrics/get-history"]["get"]["parameters"]
    assert {each["name"]: each["required"] for each in history} == {
        "run_id": True,
        "metric_key": True,
        "max_results": False,
        "page_token": False,
    }
    spans = tracking["paths"]["/v1/traces"]["post"]
    assert [each["name"] for each in spans["parameters"] if each["required"]] == ["x-mlflow-experiment-id"]
    assert set(spans["requestBody"]["content"]) == {"application/json", "application/x-protobuf"}
    upload = tracking["paths"]["/api/2.0/mlflow-artifacts/artifacts/{path}"]["put"]
    assert set(upload["requestBody"]["content"]) == {"application/octet-stream"}
