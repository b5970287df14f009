"""Every door of the inference port with one way to ask: columns of values, which each door writes as its clients do."""

import json
import struct
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve.rpc.messages import SERVICE, messages
from homeostat.serve.rpc.service import serve
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package

MOST_ROWS = 200
MOST_BODY = 100_000
SIGNATURE = Signature(
    task=Task.REGRESSION,
    columns=(
        Column(name="n", kind=Kind.INTEGER, nullable=False),
        Column(name="x", kind=Kind.FLOAT, nullable=False),
        Column(name="city", kind=Kind.CATEGORY, nullable=True),
    ),
    target="y",
)
TWICE = "a second "  # before a name: the same column again
_CODES = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "FAILED_PRECONDITION": 409, "PERMISSION_DENIED": 403}


@dataclass(frozen=True)
class Col:
    """`datatype`: as a tensor."""

    name: str
    values: list[Any]
    datatype: str


N, X, CITY = Col("n", [1, 2], "INT64"), Col("x", [0.25, 0.5], "FP64"), Col("city", ["Ulm", None], "BYTES")
GOOD = (N, X, CITY)


def others(*changed: Col, without: str = "") -> tuple[Col, ...]:
    """Return good columns with some in the place of those of the same name, or behind them."""
    by_name = {col.name: col for col in changed}
    kept = [by_name.pop(col.name, col) for col in GOOD if col.name != without]
    return (*kept, *by_name.values())


@dataclass(frozen=True)
class Told:
    """`status` is HTTP's, also where a gRPC code stands for it; `text` is the error as a whole, `values` the answer's predictions."""

    status: int
    text: str
    values: list[Any] | None = None


class Sum:
    def predict(self, frame):
        return frame["n"].to_numpy() + frame["x"].to_numpy()


class Hall:
    def __init__(self, folder, *, settings=None):
        self.records = FileRecords(folder, writer_id="w")
        self.engine = fakes.EngineInThread(
            lambda *_: Package(model=Sum(), signature=SIGNATURE),
            self.records,
            fakes.FixedClock(),
            settings=settings or ServeSettings(max_body=str(MOST_BODY) + "B", max_rows=MOST_ROWS),
            desk={"default_model": "m"},
            max_rows=MOST_ROWS if settings is None else settings.max_rows,
        )
        self.engine.switch(Route(model="m", generation=1, champion=3))
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.engine.port}", timeout=60)
        port, self._stop = self.engine.run(serve(self.engine.desk, host="127.0.0.1", port=0))
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")

    def recorded(self, request_id=None):
        found = self.records.read("predictions", "m")
        return found.height if request_id is None else found.filter(found["request_id"] == request_id).height

    def close(self):
        self.channel.close()
        self.client.close()
        self.engine.run(self._stop())
        assert self.engine.close(10)


class Http:
    """A door of HTTP."""

    path: str
    kind = "application/json"

    def __init__(self, hall):
        self.hall = hall

    def post(self, body, headers=None, *, path=None):
        found = self.hall.client.post(
            path or self.path, content=body, headers={"content-type": self.kind, **(headers or {})}
        )
        if found.status_code != 200:
            return Told(found.status_code, json.dumps(found.json(), ensure_ascii=False))
        return Told(200, "", self.values(found))

    def ask(self, columns, *, path=None, **more):
        body = self.body(columns, **more)
        return self.post(body, path=path)

    def rows(self, columns):
        return [dict(zip([c.name for c in columns], row, strict=True)) for row in _rows(columns)]


def _rows(columns):
    return list(zip(*[c.values for c in columns], strict=True))


def written(value) -> bytes:
    """Return JSON as Python writes it: with NaN, and here with fields that are there twice."""
    return json.dumps(value).replace(TWICE, "").encode()


class Native(Http):
    name = "native"
    path = "/models/m/predict"
    version = "/models/m/versions/9/predict"
    unknown = "/models/nobody/predict"

    def body(self, columns, **more):
        names = {"id": "request_id"}
        return written({"rows": self.rows(columns), **{names[key]: value for key, value in more.items()}})

    def values(self, answer):
        return [each["prediction"] for each in answer.json()["predictions"]]


class Tensors(Http):
    name = "oip"
    path = "/v2/models/m/infer"
    version = "/v2/models/m/versions/9/infer"
    unknown = "/v2/models/nobody/infer"

    def body(self, columns, **more):
        inputs = [
            {"name": c.name.replace(TWICE, ""), "shape": [len(c.values)], "datatype": c.datatype, "data": c.values}
            for c in columns
        ]
        return written({"inputs": inputs, **more})

    def values(self, answer):
        return answer.json()["outputs"][0]["data"]


def packed(column: Col) -> bytes:
    """Return a column as the bytes of a tensor: NaN for null in numbers, nothing for null in texts."""
    if column.datatype == "BYTES":
        texts = [b"" if value is None else str(value).encode() for value in column.values]
        return b"".join(struct.pack("<I", len(text)) + text for text in texts)
    kinds = {"INT64": "<i8", "FP64": "<f8", "BOOL": "?"}
    values = [float("nan") if value is None else value for value in column.values]
    return np.array(values, kinds[column.datatype]).tobytes()


class Binary(Tensors):
    name = "binary"

    def ask(self, columns, *, path=None, **more):
        return self.cut(columns, path=path, **more)

    def cut(self, columns, *, path=None, sizes=None, behind=b"", header=None, **more):
        """Ask with lengths of one's own: `sizes` of the tensors, bytes `behind` them, the `header` that says how long the JSON is."""
        raw = [packed(c) for c in columns]
        head = written(
            {
                "inputs": [
                    {
                        "name": c.name.replace(TWICE, ""),
                        "shape": [len(c.values)],
                        "datatype": c.datatype,
                        "parameters": {"binary_data_size": len(raw[at]) if sizes is None else sizes[at]},
                    }
                    for at, c in enumerate(columns)
                ],
                **more,
            }
        )
        length = str(len(head)) if header is None else header
        return self.post(head + b"".join(raw) + behind, {"inference-header-content-length": length}, path=path)


_FIELDS = {"INT64": "int64_contents", "FP64": "fp64_contents", "BYTES": "bytes_contents", "BOOL": "bool_contents"}


class Rpc:
    """gRPC, typed contents; `Raw`: raw ones."""

    name = "grpc"
    path = "m"
    unknown = "nobody"
    is_raw = False

    def __init__(self, hall):
        self.hall = hall

    def ask(self, columns, *, path="m", **more):
        request = messages()["ModelInferRequest"](model_name=path or "m", **more)
        for c in columns:
            tensor = request.inputs.add(name=c.name.replace(TWICE, ""), datatype=c.datatype, shape=[len(c.values)])
            if self.is_raw:
                request.raw_input_contents.append(packed(c))
            else:
                values = [_typed(value, c.datatype) for value in c.values]
                getattr(tensor.contents, _FIELDS[c.datatype]).extend(values)
        return self.send(request.SerializeToString())

    def send(self, body, metadata=()):
        try:
            answer = self.hall.channel.unary_unary(f"/{SERVICE}/ModelInfer")(body, timeout=60, metadata=metadata)
        except grpc.RpcError as error:
            return Told(_CODES.get(error.code().name, 500), error.details())
        found = messages()["ModelInferResponse"].FromString(answer)
        if found.raw_output_contents:
            return Told(200, "", np.frombuffer(found.raw_output_contents[0], "<f8").tolist())
        return Told(200, "", list(found.outputs[0].contents.fp64_contents))


def _typed(value, datatype):
    if datatype == "BYTES":
        return b"" if value is None else str(value).encode()
    return float("nan") if value is None else value


class RawRpc(Rpc):
    name = "grpc raw"
    is_raw = True


class Scoring(Http):
    path = "/invocations"
    unknown = "/models/nobody/invocations"

    def values(self, answer):
        return answer.json()["predictions"]


class Split(Scoring):
    name = "dataframe_split"

    def body(self, columns):
        names = [c.name.replace(TWICE, "") for c in columns]
        return written({"dataframe_split": {"columns": names, "data": _rows(columns)}})


class Records(Scoring):
    name = "dataframe_records"

    def body(self, columns):
        return written({"dataframe_records": self.rows(columns)})


class Instances(Scoring):
    name = "instances"

    def body(self, columns):
        return written({"instances": self.rows(columns)})


class Inputs(Scoring):
    name = "inputs"

    def body(self, columns):
        return written({"inputs": {c.name: c.values for c in columns}})


class Csv(Scoring):
    name = "csv"
    kind = "text/csv"

    def body(self, columns):
        lines = [[c.name.replace(TWICE, "") for c in columns], *_rows(columns)]
        return "".join(",".join("" if v is None else str(v) for v in line) + "\n" for line in lines).encode()


DOORS = (Native, Tensors, Binary, Rpc, RawRpc, Split, Records, Instances, Inputs, Csv)
