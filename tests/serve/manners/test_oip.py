"""The short way reads what the ordinary way reads, or leaves it to it."""

import json
import struct

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import HomeostatError
from homeostat.core.records.routes import Route
from homeostat.serve.answer import Answer
from homeostat.serve.decoder import Decoder
from homeostat.serve.exchange import Request
from homeostat.serve.inference import asked_of, told
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch
from homeostat.serve.manners.oip import QUICK
from homeostat.serve.tensors import rows_of
from homeostat.storage.records import FileRecords
from homeostat.testing.serving import NOW, EngineInThread, FixedClock
from homeostat.track.predictions import Predictions

SIGNATURE = Signature(
    task=Task.BINARY, columns=tuple(Column(name=n, kind=Kind.FLOAT) for n in "abc"), target="y", classes=(0, 1)
)
PATHS = ["/models/{model}/predict", "/v2/models/{model}/infer"]
LANE = Lane(
    route=Route(model="m", generation=1, champion=3, since=NOW),
    version=3,
    decoder=Decoder(SIGNATURE),
    model=object(),  # compiled
    loaded=None,
    names=("0", "1"),
    words={},
)


def _posted(body, **headers):
    return Request(method="POST", path="/v2/models/m/infer", body=body, headers=headers)


def _json(data, *, shape=(2, 3), datatype="FP64", **more):
    return json.dumps({"inputs": [{"name": "in", "shape": shape, "datatype": datatype, "data": data}], **more}).encode()


def _binary(values, *, shape=(2, 3), datatype="FP64", size=None, **more):
    size = len(values) if size is None else size
    tensor = {"name": "in", "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return _posted(head + values, **{"inference-header-content-length": str(len(head))})


def _ordinary(request):
    try:
        return rows_of(LANE.decoder, asked_of(request).inputs).table.matrix()
    except HomeostatError:
        return None


def _quick(request):
    try:
        found = QUICK.read(LANE, request)
    except HomeostatError:
        return None
    return None if found is None else found[0].rows.table.matrix()


USUAL = [
    _posted(_json([1, 2, 3, 4.5, 5, 6])),
    _posted(_json([[1, 2, 3], [4.5, 5, 6]])),
    _posted(_json([0.1, 2, 3, 4.5, 5, 6], datatype="FP32")),
    _posted(_json([1, 2, 3, 4.5, 5, 6], outputs=[{"name": "probabilities", "parameters": {"binary_data": True}}])),
    _binary(struct.pack("<6d", 1, 2, 3, 4, 5, 6.5)),
    _binary(struct.pack("<6f", 1, 2, 3, 4, 5, 6.1), datatype="FP32", parameters={"binary_data_output": True}),
]
UNUSUAL = [
    _posted(_json([1, 2, 3, 4.5, 5, None])),
    _posted(_json([1, 2, 3, 4.5, 5, True])),
    _posted(_json([1, 2, 3, 4.5, 5, 1e39], datatype="FP32")),
    _posted(_json([1, 2, 3, 4.5, 5])),
    _posted(_json([[1, 2], [3, 4.5], [5, 6]])),
    _posted(_json([[1, 2, 3, 4], [5, 6]])),
    _posted(_json([], shape=(0, 3))),
    _posted(_json([1, 2, 3, 4.5, 5, 6], shape=(3, 2))),
    _posted(_json([1, 2, 3, 4.5, 5, 6], shape=(-2, -3))),
    _posted(_json([1, 2, 3, 4.5, 5, 6], shape=(2**62, 3))),
    _posted(_json([1, 2, 3, 4, 5, 6], datatype="INT64")),
    _posted(_json([1, 2, 3, 4.5, 5, 6], id="mine")),
    _posted(_json([1, 2, 3, 4.5, 5, 6], outputs=[{"name": "nothing"}])),
    _posted(_json([1, 2, 3, 4.5, 5, 6])[:-1] + b', "inputs": []}'),
    _posted(_json([1, 2, 3, 4.5, 5, 6]).replace(b'"in"', b'"in", "name": "in"')),
    _posted(b'{"inputs": []}'),
    _posted(b"\xff"),
    _posted(b"[" * 100_000),
    _binary(struct.pack("<6d", 1, 2, 3, 4, 5, np.nan)),
    _binary(struct.pack("<6d", 1, 2, 3, 4, 5, np.inf)),
    _binary(struct.pack("<6d", 1, 2, 3, 4, 5, 6), size=40),
    _binary(struct.pack("<5d", 1, 2, 3, 4, 5)),
    _binary(b"", shape=(0, 3)),
    _binary(b"\x01\x00\x80\x7f" * 6, datatype="FP32"),  # NaNs that signal
    _posted(b"{}", **{"inference-header-content-length": "99"}),
    _posted(b"{}", **{"inference-header-content-length": "-1"}),
    _posted(b"{}", **{"inference-header-content-length": "²"}),
]


@pytest.mark.parametrize("request_", USUAL, ids=range(len(USUAL)))
def test_usual_requests_go_the_short_way_and_are_read_alike(request_):
    np.testing.assert_array_equal(_quick(request_), _ordinary(request_))


@pytest.mark.parametrize("request_", UNUSUAL, ids=range(len(UNUSUAL)))
def test_unusual_ones_are_left_to_the_ordinary_way(request_):
    assert _quick(request_) is None


def test_probabilities_are_asked_of_models_in_processes_on_the_ordinary_way():
    """They may give none, which it can say."""
    lane = Lane(route=LANE.route, version=3, decoder=LANE.decoder, model=None, loaded=None, names=LANE.names, words={})
    assert QUICK.read(lane, _posted(_json([1, 2, 3, 4.5, 5, 6], outputs=[{"name": "probabilities"}]))) is None
    assert QUICK.read(lane, _posted(_json([1, 2, 3, 4.5, 5, 6], outputs=[{"name": "predict"}]))) is not None
    assert QUICK.read(lane, _posted(_json([1, 2, 3, 4.5, 5, 6]))) is not None


def test_a_nan_that_signals_is_null_without_a_warning():
    found = _ordinary(_binary(b"\x01\x00\x80\x7f" * 6, datatype="FP32"))
    assert np.isnan(found).all()


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(USUAL), st.data())
def test_whatever_the_bytes_the_short_way_never_reads_anything_else(request_, data):
    body = bytearray(request_.body)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"0", b",", b"[", b"]", b":", b'"', b"\xff", b"e9"])
        )
    changed = _posted(bytes(body), **request_.headers)
    found = _quick(changed)
    if found is not None:
        np.testing.assert_array_equal(found, _ordinary(changed))


@pytest.mark.parametrize("request_", USUAL, ids=range(len(USUAL)))
def test_answers_are_told_alike(request_):
    scores = np.array([[0.5, 0.5], [1.0, 0.0], [0.25, 0.75], [0.1, 0.9]])
    answer = Predictions(labels=np.array([1, 0, 1, 1]), scores=scores, classes=(0, 1))
    batch = Batch.of(answer, start=0.0, seconds=0.0, height=4)
    asked, wish = QUICK.read(LANE, request_)
    assert asked.request_id is None
    mine = Predictions(labels=answer.labels[1:3], scores=scores[1:3], classes=(0, 1))
    ordinary = asked_of(request_)
    wanted = told(
        Answer(request_id="r", model="m", version=3, predictions=mine),
        SIGNATURE,
        outputs={output.name: output.parameters for output in ordinary.outputs},
        parameters=ordinary.parameters,
    )
    assert QUICK.tell(LANE, "r", batch, slice(1, 3), wish) == wanted


class Sums:
    """Answers as compiled models do."""

    kind = "compiled"
    signature = SIGNATURE

    def answer(self, table):
        positive = 1 / (1 + np.exp(-table.matrix().sum(axis=1)))
        labels = (positive > 0.5).astype(np.int64)
        return Predictions(labels=labels, scores=np.column_stack([1 - positive, positive]), classes=(0, 1))


def test_doors_share_batches_and_the_record(tmp_path):
    records = FileRecords(tmp_path, writer_id="w")
    engine = EngineInThread(lambda model, version: Sums(), records, FixedClock())
    try:
        engine.switch(Route(model="m", generation=1, champion=3, since=NOW))
        values = np.linspace(-3, 3, 60).reshape(20, 3)
        url = f"http://127.0.0.1:{engine.port}"
        rows = [dict(zip("abc", row, strict=True)) for row in values.tolist()]
        for _ in range(2):  # the second time over the head that is known
            ours = httpx.post(f"{url}/models/m/predict", json={"rows": rows}).json()
            tensor = {"name": "in", "shape": [20, 3], "datatype": "FP64", "data": values.ravel().tolist()}
            oip = httpx.post(f"{url}/v2/models/m/infer", json={"inputs": [tensor]}).json()
        said = [row["prediction"] for row in ours["predictions"]]
        assert said == (values.sum(axis=1) > 0).astype(int).tolist() == oip["outputs"][0]["data"]
        told = [p for row in ours["predictions"] for p in (row["probabilities"]["0"], row["probabilities"]["1"])]
        assert told == oip["outputs"][1]["data"]
        assert oip["model_version"] == "3"
        series = engine.metrics.series("m", 3, "champion")
        assert series.by_status == {"ok": 4}
        assert sum(series.answer.counts) == 4
        assert {path: engine.metrics.endpoint(path).by_status for path in PATHS} == {path: {200: 2} for path in PATHS}
    finally:
        engine.close()
    read = records.read("predictions", "m")
    assert read.height == 80
    assert read["prediction"].to_list() == said * 4
    mine = read.filter(read["request_id"] == oip["id"])
    assert [json.loads(text) for text in mine["features"]] == rows
    assert mine["scores"].explode().to_list() == told
