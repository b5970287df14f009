"""The short way where our own code breaks: every request gets its answer, and the record says nothing else."""

import asyncio
import json
import logging
from dataclasses import replace

import numpy as np
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.core.records.routes import Route
from homeostat.serve.app import App
from homeostat.serve.door import Desk
from homeostat.serve.exchange import Request
from homeostat.serve.forgets import Forgets
from homeostat.serve.headers import BROKEN
from homeostat.serve.manner import Manner
from homeostat.serve.manners.native import QUICK
from homeostat.serve.plane import Plane
from homeostat.serve.settings import ServeSettings
from homeostat.serve.tracing import Tracing
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.track.predictions import Predictions
from homeostat.train.package import Package

SIGNATURE = Signature(
    task=Task.REGRESSION, columns=(Column(name="a", kind=Kind.FLOAT), Column(name="b", kind=Kind.FLOAT)), target="y"
)


class Sums:
    """Answers as compiled models do."""

    kind = "compiled"
    signature = SIGNATURE

    def answer(self, table):
        return Predictions(labels=table.matrix().sum(axis=1))


class SumsSlowly:
    def predict(self, frame):
        return np.asarray(frame, dtype=float).sum(axis=1)


KINDS = {"compiled": Sums(), "process": Package(model=SumsSlowly(), signature=SIGNATURE)}


def _asks(value):
    body = json.dumps({"rows": [{"a": value, "b": 1}]}).encode()
    return Request(method="POST", path="/models/m/predict", body=body, headers={"host": "127.0.0.1"})


def _answers(kind, record, manner, values, *, trails=None):
    """Return what requests for several values are told, all asked in one turn of the event loop; None where the short way does not take it."""

    async def ask():
        load = fakes.in_threads(lambda _model, _version: KINDS[kind])
        tracing = None if trails is None else Tracing(trails.append, ratio=1.0)
        clock, ids = fakes.FixedClock(), iter(range(1000))
        plane = Plane(load, record, clock, tracing=tracing)
        await plane.switchboard.switch(Route(model="m", generation=1, champion=1))
        app = App(
            Desk(plane=plane, record=record, settings=ServeSettings(), clock=clock, new_id=lambda: f"id{next(ids)}")
        )
        endpoint = replace(app.paths.find("POST", "/models/m/predict").endpoint, quick=manner)
        waiting = []
        for value in values:
            future, request = asyncio.get_running_loop().create_future(), _asks(value)
            take = app._express.way(endpoint, "m", request)
            if not take(request, future.set_result):
                future.set_result(None)
            waiting.append(future)
        async with asyncio.timeout(10):
            told = await asyncio.gather(*waiting)
        await plane.close(5)
        return told

    return asyncio.run(ask())


def _breaking(lane, request_id, batch, rows, wish):
    if 13.0 in batch.labels[rows] or 14.0 in batch.labels[rows]:
        raise ZeroDivisionError("a manner of ours breaks")
    return QUICK.tell(lane, request_id, batch, rows, wish)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_cannot_be_worded_is_a_500_and_no_record(kind, tmp_path, caplog):
    record = FileRecords(tmp_path, writer_id="w")
    trails = []
    told = _answers(kind, record, Manner(QUICK.read, _breaking), [1, 12, 2, 13, 3], trails=trails)
    record.close()
    assert [one.status for one in told] == [200, 500, 200, 500, 200]
    assert told[1] is told[3] is BROKEN
    said = [json.loads(one.body) for one in told if one.status == 200]
    assert [one["predictions"][0]["prediction"] for one in said] == [2.0, 3.0, 4.0]
    read = record.read("predictions", "m")
    assert sorted(read["request_id"]) == sorted(one["request_id"] for one in said)
    broken = [one for one in caplog.records if one.levelno >= logging.ERROR]
    assert {(one.msg, one.model, one.version, one.path) for one in broken} == {
        ("serve.request_broke", "m", 1, "/models/{model}/predict")
    }
    assert len({one.request_id for one in broken}) == len(broken) == 2
    assert sorted(str(one.error) for one in trails) == ["None", "None", "None", "internal", "internal"]


class NoThread(FileRecords):
    """Breaks at the first try, where nobody foresaw it."""

    tries = 0

    def submit(self, model, lines, done):
        self.tries += 1
        if self.tries == 1:
            raise RuntimeError("can't start new thread")
        super().submit(model, lines, done)


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_record_breaks_of_is_asked_again_the_ordinary_way(kind, tmp_path):
    record = NoThread(tmp_path, writer_id="w")
    told = _answers(kind, record, QUICK, [1, 2, 3])
    record.close()
    assert [one.status for one in told] == [200] * 3
    read = record.read("predictions", "m")
    assert sorted(read["request_id"]) == sorted(json.loads(one.body)["request_id"] for one in told)


@pytest.mark.parametrize("error", [InvalidInput("no rows"), ZeroDivisionError("ours")], ids=["theirs", "ours"])
def test_what_cannot_be_read_is_left_to_the_ordinary_way(error, caplog):
    def read(lane, request):
        raise error

    assert _answers("compiled", Forgets(), Manner(read, QUICK.tell), [1]) == [None]
    assert [one.msg for one in caplog.records] == ["serve.not_read"] * isinstance(error, ZeroDivisionError)
