"""What a request may tell a model beside its rows, from the door to the model."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import numpy as np
import pytest

from homeostat.core.columns import Param
from homeostat.core.errors import InvalidInput
from homeostat.core.records.routes import Route
from homeostat.serve.forgets import Forgets
from homeostat.serve.hosts.child import answer
from homeostat.serve.hosts.frames import asking, framed, predictions_of, unframed
from homeostat.serve.params import read_params
from homeostat.serve.table import Table
from homeostat.testing import serving as fakes
from homeostat.train.package import Package

TYPES = ("boolean", "integer", "long", "float", "double", "string", "datetime")
SIGNATURE = replace(
    fakes.REGRESSION,
    params=(*(Param(name=f"a {each}", type=each) for each in TYPES), Param(name="by", type="double", is_list=True)),
)
GOOD = {
    "a boolean": True,
    "a integer": -(2**31),
    "a long": 2**63 - 1,
    "a float": 1,
    "a double": 0.5,
    "a string": "",
    "a datetime": "2024-01-01T00:00:00Z",
    "by": [1, 2.5],
}


class Adds:
    """Answers x and all of `by`."""

    def __init__(self, by=()):
        self.by = by

    def with_params(self, params):
        return Adds(params.get("by", ()))

    def predict(self, frame):
        return frame["x"].to_numpy() + np.sum(self.by)


@pytest.mark.parametrize("value", [None, {}])
def test_no_params_are_none(value):
    assert read_params(value, SIGNATURE) == read_params(value, fakes.REGRESSION) == {}


def test_params_that_are_declared_are_taken_in_their_types():
    assert read_params(GOOD, SIGNATURE) == GOOD


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a boolean", 1),
        ("a integer", 2**31),
        ("a integer", 1.0),
        ("a integer", True),
        ("a long", 2**63),
        ("a float", "1"),
        ("a double", 10**400),
        ("a double", None),
        ("a string", 1),
        ("a string", ["a"]),
        ("a datetime", "yesterday"),
        ("a datetime", 5),
        ("by", 1.0),
        ("by", [1.0, "2"]),
        ("by", [0.5] * 20_000),
        ("b", 1),
        ("x" * 10_000, 1),
    ],
)
def test_others_are_refused_by_name(name, value):
    with pytest.raises(InvalidInput) as caught:
        read_params({**GOOD, name: value}, SIGNATURE)
    assert name[:100] in caught.value.message
    assert len(caught.value.message) < 300


def test_they_reach_the_process_of_a_model():
    table = Table.of_rows(SIGNATURE.columns, [(0.25, "Ulm")])
    package = Package(model=Adds(), signature=SIGNATURE)
    assert predictions_of(answer(package, asking(table)), ()).labels.tolist() == [0.25]
    table.params = {"by": [1.0, 2.0]}
    asked = unframed(framed(asking(table))[4:])
    assert predictions_of(answer(package, asked), ()).labels.tolist() == [3.25]


@pytest.fixture
def client():
    engine = fakes.EngineInThread(
        fakes.Versions({1: Adds(), 2: Package(model=fakes.Answers([7.0]), signature=fakes.REGRESSION)}, SIGNATURE),
        Forgets(),
        fakes.FixedClock(),
    )
    engine.switch(Route(model="m", generation=1, champion=1))
    with httpx.Client(base_url=f"http://127.0.0.1:{engine.port}", timeout=60) as made:
        made.switch = engine.switch
        yield made
    assert engine.close(10)


def invoke(client, params):
    return client.post("/invocations", content=json.dumps({"instances": [fakes.ROW], "params": params}))


def test_requests_with_params_are_answered_each_by_its_own(client):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda by: invoke(client, {"by": [by]}).json()["predictions"], range(64)))
    assert answers == [[by + 0.25] for by in range(64)]
    assert invoke(client, {}).json() == invoke(client, None).json() == {"predictions": [0.25]}
    assert client.get("/models/m").json()["signature"]["params"][-1] == {
        "name": "by",
        "type": "double",
        "is_list": True,
    }


def test_a_param_that_is_not_declared_is_refused(client):
    answer = invoke(client, {"bye": [1]})
    assert answer.status_code == 400
    assert "takes no param 'bye'" in answer.json()["message"]
    assert "'by'" in answer.json()["message"]


def test_a_canary_that_does_not_know_a_param_leaves_the_answer_to_the_champion(client):
    client.switch(Route(model="m", generation=2, champion=1, canary=2, canary_percent=100))
    assert invoke(client, {"by": [1]}).json() == {"predictions": [1.25]}
    assert invoke(client, None).json() == {"predictions": [7.0]}
