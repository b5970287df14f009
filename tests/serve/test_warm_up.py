"""What a new version is warmed up with, whichever way the requests before it went."""

import http.client
import json

import numpy as np
import pytest

from homeostat.core.records import Route
from homeostat.serve.evaluator import ThreadEvaluator
from homeostat.testing import serving as fakes
from homeostat.track.predictions import Predictions
from homeostat.train.package import Package


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
    engine = fakes.EngineInThread(lambda _model, version: versions[version], fakes.Forgets(), fakes.FixedClock())
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
    plane = fakes.PlaneInThread(fakes.Versions({1: model}), fakes.Forgets(), fakes.FixedClock())
    plane.switch(Route(model="m", generation=1, champion=1))
    plane.close(10)
    assert len(model.rows) == 1
    assert model.rows[0][0] == 0.0
