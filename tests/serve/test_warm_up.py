"""What a new version is warmed up with, whichever way the requests before it went; and what becomes of one that does not stand it."""

import http.client
import json
import os
import time
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind
from homeostat.core.records.routes import Route
from homeostat.serve.answer import VersionDown
from homeostat.serve.evaluator import ThreadEvaluator
from homeostat.serve.forgets import Forgets
from homeostat.serve.hosts.host import Host, HostSettings
from homeostat.serve.warm_up import WarmUpFailed
from homeostat.testing import serving as fakes
from homeostat.track.predictions import Predictions
from homeostat.train.package import Package, write_package


class Quick:
    """Stands for a compiled model, and keeps what it was asked."""

    kind = "compiled"
    signature = fakes.BINARY

    def __init__(self):
        self.asked = []

    def answer(self, table):
        self.asked += table.rows()
        scores = np.tile([0.75, 0.25], (table.height, 1))
        return Predictions(labels=np.repeat("no", table.height), scores=scores, classes=("no", "yes"))


class Slow(fakes.Says):
    """A model of a process or thread, and keeps what it was asked."""

    def __init__(self):
        super().__init__(0.25)
        self.rows = []

    def predict_proba(self, frame):
        self.rows += list(frame.itertuples(index=False, name=None))
        return super().predict_proba(frame)

    def predict(self, frame):
        return np.repeat("no", len(frame))


@pytest.mark.parametrize("before", ["compiled", "thread"])
def test_a_new_version_is_warmed_up_with_rows_that_were_asked_before(before):
    first = Quick() if before == "compiled" else ThreadEvaluator(Package(model=Slow(), signature=fakes.BINARY))
    second, third = Quick(), Slow()
    versions = {1: first, 2: second, 3: Package(model=third, signature=fakes.BINARY)}
    engine = fakes.EngineInThread(lambda _model, version: versions[version], Forgets(), fakes.FixedClock())
    try:
        engine.switch(Route(model="m", generation=1, champion=1))
        client = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=20)
        client.request("POST", "/models/m/predict", body=json.dumps({"rows": [fakes.ROW]}))
        assert client.getresponse().status == 200
        client.close()
        engine.switch(Route(model="m", generation=2, champion=2))
        engine.switch(Route(model="m", generation=3, champion=3))
    finally:
        engine.close(10)
    assert second.asked == third.rows == [(0.25, "Ulm")]


def test_without_any_request_a_made_up_row_warms_it_up():
    model = Slow()
    plane = fakes.PlaneInThread(fakes.Versions({1: model}), Forgets(), fakes.FixedClock())
    plane.switch(Route(model="m", generation=1, champion=1))
    plane.close(10)
    assert len(model.rows) == 1
    assert model.rows[0][0] == 0.0


class Dies(Slow):
    def predict_proba(self, frame):
        os._exit(9)


class NeverAnswers(Slow):
    def predict_proba(self, frame):
        time.sleep(600)


class Refuses(Slow):
    def predict_proba(self, frame):
        raise ZeroDivisionError(f"a secret of {len(frame)} rows")


class KilledOnce(ThreadEvaluator):
    """Stands for a process that is killed over its first question, and started again."""

    def __init__(self, package):
        super().__init__(package)
        self.came_back = False

    async def until_up(self, limit_s):
        self.came_back = True

    async def evaluate(self, table):
        if not self.came_back:
            raise VersionDown("its process died (signal SIGKILL); it is being started again")
        return await super().evaluate(table)


@pytest.fixture
def plane_and_hosts(tmp_path):
    """A plane whose version 1 answers in a thread and has answered once; `models` has what version 2 on are, each in a process of its own."""
    hosts, models = [], {}
    first = fakes.Versions({1: fakes.Says(0.25)})

    async def load(_model, version):
        if version == 1:
            return ThreadEvaluator(first("m", 1))
        folder = tmp_path / f"{version}-{len(hosts)}"
        write_package(models[version], folder, signature=fakes.BINARY, example=pl.DataFrame([fakes.ROW]))
        hosts.append(Host(folder, signature=None, settings=HostSettings()))
        await hosts[-1].start()
        return hosts[-1]

    plane = fakes.PlaneInThread(load, Forgets(), fakes.FixedClock(), warm_timeout_s=60.0)
    plane.switch(Route(model="m", generation=1, champion=1))
    plane.answer("m", [fakes.ROW])
    yield plane, hosts, models
    plane.close(10)
    assert all(host._process.poll() is not None for host in hosts)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        pytest.param(Dies(), r"its process died \(exit code 9\)", id="dies"),
        pytest.param(NeverAnswers(), "no answer within 1 s", id="hangs"),
    ],
)
def test_a_version_whose_process_fails_on_recent_rows_is_not_switched_to(plane_and_hosts, model, told):
    plane, _, models = plane_and_hosts
    models[2] = model
    if isinstance(model, NeverAnswers):
        plane.plane.switchboard._warm_timeout_s = 1.0
    said = rf"version 2 of model 'm' failed its warm-up on rows of recent requests: {told}$"
    with pytest.raises(WarmUpFailed, match=said) as got:
        plane.switch(Route(model="m", generation=2, champion=2))
    assert got.value.version == 2
    assert got.value.why.startswith("it failed")
    assert plane.generations == {"m": 1}
    assert plane.answer("m", [fakes.ROW]).version == 1


@pytest.mark.parametrize(
    "route",
    [
        pytest.param({"champion": 2}, id="champion"),
        pytest.param({"champion": 1, "canary": 2, "canary_percent": 100.0}, id="canary"),
        pytest.param({"champion": 1, "shadow": 2}, id="shadow"),
    ],
)
def test_neither_is_one_whose_code_raises(route):
    plane = fakes.PlaneInThread(fakes.Versions({1: fakes.Says(0.25), 2: Refuses()}), Forgets(), fakes.FixedClock())
    try:
        plane.switch(Route(model="m", generation=1, champion=1))
        plane.answer("m", [fakes.ROW])
        with pytest.raises(WarmUpFailed, match=r"its code raised ZeroDivisionError$") as got:
            plane.switch(Route(model="m", generation=2, **route))
        assert "secret" not in str(got.value), "a model's words may quote the rows"
        assert plane.generations == {"m": 1}
        assert plane.answer("m", [fakes.ROW]).version == 1
    finally:
        plane.close(10)


def test_a_process_that_is_killed_once_while_it_warms_up_is_asked_again():
    first, second = fakes.Says(0.25), KilledOnce(Package(model=fakes.Says(0.75), signature=fakes.BINARY))
    versions = {1: Package(model=first, signature=fakes.BINARY), 2: second}
    plane = fakes.PlaneInThread(lambda _model, version: versions[version], Forgets(), fakes.FixedClock())
    try:
        plane.switch(Route(model="m", generation=1, champion=1))
        plane.switch(Route(model="m", generation=2, champion=2))
        assert plane.answer("m", [fakes.ROW]).version == 2
    finally:
        plane.close(10)


def test_one_that_is_trusted_answers_all_the_same():
    versions = fakes.Versions({1: fakes.Says(0.25), 2: Refuses(), 3: Refuses()})
    plane = fakes.PlaneInThread(versions, Forgets(), fakes.FixedClock())
    try:
        plane.switch(Route(model="m", generation=1, champion=1))
        plane.answer("m", [fakes.ROW])
        with pytest.raises(WarmUpFailed, match="version 3"):
            plane.switch(Route(model="m", generation=2, champion=2, shadow=3), trusted=2)
        plane.switch(Route(model="m", generation=3, champion=2), trusted=2)
        assert plane.generations == {"m": 3}
    finally:
        plane.close(10)


def test_a_sound_model_may_raise_on_a_made_up_row_and_on_rows_that_it_would_never_be_asked_for():
    needs = Column(name="city", kind=Kind.CATEGORY, nullable=False)
    strict = replace(fakes.BINARY, columns=(fakes.BINARY.columns[0], needs))
    versions = {
        1: Package(model=fakes.Says(0.25), signature=fakes.BINARY),
        2: Package(model=Refuses(), signature=strict),
        3: Package(model=Refuses(), signature=fakes.BINARY),
    }
    plane = fakes.PlaneInThread(lambda _model, version: versions[version], Forgets(), fakes.FixedClock())
    try:
        plane.switch(Route(model="m", generation=1, champion=1, shadow=3))
        plane.answer("m", [{**fakes.ROW, "city": None}])
        plane.switch(Route(model="m", generation=2, champion=1, shadow=2))
        assert plane.generations == {"m": 2}
    finally:
        plane.close(10)
