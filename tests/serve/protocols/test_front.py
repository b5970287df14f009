"""The address of the server itself says what is behind it."""

import json

import pytest
from tests.serve.protocols.serving_both import Both

from homeostat.core.records.routes import Route
from homeostat.serve.settings import ServeSettings
from homeostat.testing import serving as fakes


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = Both(tmp_path_factory.mktemp("front"))
    yield server
    server.close()


def test_it_names_the_models_and_where_they_are_asked(one):
    answer = one.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    said = answer.json()
    assert said["models"]["late"] == {
        "answers": "version 3",
        "predict": "/models/late/predict",
        "takes": "/models/late",
    }
    assert "hint" not in said
    assert one.post(said["models"]["late"]["predict"], {"rows": [{"x": 0.2, "city": "Ulm"}]}).status_code == 200


def test_every_address_in_it_is_answered(one):
    said = one.get("/").json()
    for path in (said["openapi"], said["health"], said["metrics"], *(m["takes"] for m in said["models"].values())):
        assert one.get(path).status_code == 200, path


def test_the_pages_are_at_the_control_port(one):
    assert one.get("/").json()["pages"] == "http://127.0.0.1:8701/"


def test_a_page_of_another_site_learns_nothing(one):
    assert one.client.get(one.url, headers={"host": "evil.example"}).status_code == 403


@pytest.fixture
def idle(tmp_path):
    from homeostat.storage.records import FileRecords

    records = FileRecords(tmp_path, writer_id="w")
    engine = fakes.EngineInThread(
        lambda _model, _version: None, records, fakes.FixedClock(), settings=ServeSettings(host="0.0.0.0")
    )
    yield engine
    assert engine.close(10)
    records.close()


def test_without_a_model_it_says_what_to_do(idle):
    import httpx

    answer = httpx.get(f"http://127.0.0.1:{idle.port}/")
    said = json.loads(answer.content)
    assert said["models"] == {}
    assert "homeostat status" in said["hint"]
    assert said["pages"] == "http://127.0.0.1:8701/"  # it listens everywhere: by the name that it was asked by


def test_a_name_with_a_slash_is_one_segment(one):
    one.engine.switch(Route(model="a/b", generation=1, champion=None))
    said = one.get("/").json()["models"]["a/b"]
    assert said["answers"] is None
    assert one.get(said["takes"]).json()["model"] == "a/b"
