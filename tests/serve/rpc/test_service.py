"""The Open Inference Protocol over gRPC: what is refused with which code, and Triton's own client as judge of what is answered."""

import socket
from dataclasses import replace

import grpc
import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.serve.protocols.serving_both import Both
from tritonclient import grpc as triton
from tritonclient.utils import InferenceServerException

from homeostat.app.inference import speak_grpc
from homeostat.core.errors import Unreachable
from homeostat.serve.rpc.messages import SERVICE, messages
from homeostat.serve.rpc.service import serve


class Rpc:
    """A server with a door for gRPC, and a channel to it."""

    def __init__(self, folder):
        self.both = Both(folder)
        self.port, self._stop = self.both.engine.run(serve(self.both.engine.desk, host="127.0.0.1", port=0))
        self.address = f"127.0.0.1:{self.port}"
        self.channel = grpc.insecure_channel(self.address)

    def call(self, method, request, **options):
        body = request if isinstance(request, bytes) else request.SerializeToString()
        answer = self.channel.unary_unary(f"/{SERVICE}/{method}")(body, timeout=30, **options)
        return messages()[f"{method}Response"].FromString(answer)

    def refused(self, request, method="ModelInfer", **options):
        with pytest.raises(grpc.RpcError) as caught:
            self.call(method, request, **options)
        return caught.value.code().name, caught.value.details()

    def close(self):
        self.channel.close()
        self.both.engine.run(self._stop())
        self.both.close()


@pytest.fixture(scope="module")
def rpc(tmp_path_factory):
    server = Rpc(tmp_path_factory.mktemp("rpc"))
    yield server
    server.close()


def asking(model="late", *, x=(0.25, 0.125), city=("Ulm", "Bonn"), **more):
    request = messages()["ModelInferRequest"](model_name=model, **more)
    if x is not None:
        request.inputs.add(name="x", datatype="FP64", shape=[len(x)]).contents.fp64_contents.extend(x)
    if city is not None:
        texts = [each if isinstance(each, bytes) else each.encode() for each in city]
        request.inputs.add(name="city", datatype="BYTES", shape=[len(city)]).contents.bytes_contents.extend(texts)
    return request


@pytest.mark.filterwarnings("ignore")
def test_tritons_grpc_client_asks_and_is_told(rpc):
    with triton.InferenceServerClient(rpc.address) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("late")
        assert client.is_model_ready("late", "3")
        assert not client.is_model_ready("late", "4")
        assert client.get_server_metadata().name == "homeostat"
        told = client.get_model_metadata("late")
        assert [each.name for each in told.inputs] == ["x", "city"]
        assert [list(each.shape) for each in told.outputs] == [[-1], [-1, 2]]
        x = triton.InferInput("x", [2], "FP64")
        x.set_data_from_numpy(np.array([0.25, 0.125]))
        city = triton.InferInput("city", [2], "BYTES")
        city.set_data_from_numpy(np.array(["Ulm", "Bonn"], dtype=object))
        before = rpc.both.recorded()
        found = client.infer("late", [x, city], request_id="of-triton")
        assert found.as_numpy("predict").tolist() == [b"yes", b"no"]
        assert found.as_numpy("probabilities").tolist() == [[0.0, 1.0], [0.875, 0.125]]
        assert found.get_response().id == "of-triton"
        assert found.get_response().model_version == "3"
        assert rpc.both.recorded() == before + 2
        only = client.infer("late", [x, city], "3", outputs=[triton.InferRequestedOutput("predict")])
        assert only.as_numpy("probabilities") is None
        matrix = triton.InferInput("input-0", [1, 3], "FP32")
        matrix.set_data_from_numpy(np.array([[1, 2, np.nan]], dtype=np.float32))
        assert client.infer("sum", [matrix]).as_numpy("predict").tolist() == [3.0]
        with pytest.raises(InferenceServerException, match="no model 'lat'"):
            client.infer("lat", [x, city])


def test_contents_are_answered_with_contents(rpc):
    found = rpc.call("ModelInfer", asking())
    assert not found.raw_output_contents
    assert list(found.outputs[0].contents.bytes_contents) == [b"yes", b"no"]
    assert list(found.outputs[1].contents.fp64_contents) == [0.0, 1.0, 0.875, 0.125]


def test_the_trace_and_the_caller_that_metadata_name_are_in_the_record(rpc):
    trace = "0af7651916cd43dd8448eb211c80319c"
    named = [("traceparent", f"00-{trace}-b7ad6b7169203331-01"), ("x-caller", "shop")]
    rpc.call("ModelInfer", asking(id="traced"), metadata=named)
    rows = rpc.both.records.read("predictions", "late").filter(request_id="traced")
    assert rows.select("trace", "caller").rows() == [(trace, "shop")] * 2


def of_raw(*raw):
    request = messages()["ModelInferRequest"](model_name="late", raw_input_contents=raw)
    request.inputs.add(name="x", datatype="FP64", shape=[1])
    request.inputs.add(name="city", datatype="BYTES", shape=[1])
    return request


def with_input(name, datatype, shape, **contents):
    request = asking(x=None, city=("Ulm",))
    made = request.inputs.add(name=name, datatype=datatype, shape=shape)
    for field, values in contents.items():
        getattr(made.contents, field).extend(values)
    return request


def with_output(name):
    request = asking()
    request.outputs.add(name=name)
    return request


X8, ULM = b"\0" * 8, b"\3\0\0\0Ulm"
REFUSED = {
    "no message": (lambda: b"\xff\xff\xff", "INVALID_ARGUMENT", "ModelInferRequest"),
    "unknown model": (lambda: asking("lat"), "NOT_FOUND", "no model 'lat'"),
    "unknown version": (lambda: asking(model_version="9"), "NOT_FOUND", "version 9"),
    "no version": (lambda: asking(model_version="x" * 99), "NOT_FOUND", "not a version"),
    "no inputs": (lambda: asking(x=None, city=None), "INVALID_ARGUMENT", "no inputs"),
    "missing": (lambda: asking(city=None), "INVALID_ARGUMENT", "'city' is missing"),
    "extra": (lambda: with_input("y", "FP64", [1], fp64_contents=[1.0]), "INVALID_ARGUMENT", "'x' is missing"),
    "not finite": (lambda: asking(x=(np.inf, 1.0)), "INVALID_ARGUMENT", "field 'x'"),
    "null": (lambda: asking(x=(np.nan, 1.0)), "INVALID_ARGUMENT", "field 'x'"),
    "no text": (lambda: asking(city=(b"\xff", b"a")), "INVALID_ARGUMENT", "'city' holds bytes that are no UTF-8"),
    "datatype": (lambda: with_input("x", "FP65", [1]), "INVALID_ARGUMENT", "datatype 'FP65'"),
    "contents": (lambda: with_input("x", "FP64", [1], fp32_contents=[1.0]), "INVALID_ARGUMENT", "fp32_contents"),
    "shape": (lambda: with_input("x", "FP64", [2], fp64_contents=[1.0]), "INVALID_ARGUMENT", "'x' has 1 values"),
    "huge shape": (lambda: with_input("x", "FP64", [2**62], fp64_contents=[1.0]), "INVALID_ARGUMENT", "'x' has 1"),
    "negative": (lambda: with_input("x", "FP64", [-1], fp64_contents=[1.0]), "INVALID_ARGUMENT", "the shape [-1]"),
    "raw count": (lambda: of_raw(X8), "INVALID_ARGUMENT", "1 raw_input_contents for 2"),
    "raw bytes": (lambda: of_raw(b"\0" * 7, ULM), "INVALID_ARGUMENT", "'x' has 7 bytes"),
    "raw string": (lambda: of_raw(X8, b"\xff\xff\xff\xffUlm"), "INVALID_ARGUMENT", "'city' ends within"),
    "output": (lambda: with_output("scores"), "NOT_FOUND", "no output 'scores'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused_by_name_and_not_recorded(rpc, case):
    make, code, named = REFUSED[case]
    before = rpc.both.recorded()
    status, told = rpc.refused(make())
    assert status == code
    assert named in told
    assert rpc.both.recorded() == before


def test_the_inference_process_speaks_it_where_the_settings_say_and_ends_it(rpc):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = rpc.both.engine
    desk = replace(engine.desk, settings=msgspec.structs.replace(engine.desk.settings, grpc_port=port))
    stop = engine.run(speak_grpc(desk))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        ask = channel.unary_unary(f"/{SERVICE}/ServerReady")
        assert messages()["ServerReadyResponse"].FromString(ask(b"", timeout=30)).ready
        engine.run(stop())
        with pytest.raises(grpc.RpcError):
            ask(b"", timeout=30)


def test_a_port_that_is_taken_is_named(rpc):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unreachable, match=str(port)):
            rpc.both.engine.run(serve(rpc.both.engine.desk, host="127.0.0.1", port=port))


def test_a_body_that_is_too_long_is_not_taken(rpc):
    status, _ = rpc.refused(asking(x=[0.5] * 200_000, city=None))
    assert status == "RESOURCE_EXHAUSTED"


def test_nothing_small_unpacks_into_what_is_large(rpc):
    bomb = asking(x=[0.0] * 500_000, city=None)
    status, _ = rpc.refused(bomb, compression=grpc.Compression.Gzip)
    assert status in ("UNIMPLEMENTED", "RESOURCE_EXHAUSTED", "INTERNAL")


def test_an_id_is_used_once_or_for_the_same_again(rpc):
    first = rpc.call("ModelInfer", asking(id="once"))
    assert first.id == "once"
    assert rpc.call("ModelInfer", asking(id="once")).id == "once"
    status, told = rpc.refused(asking(x=(0.5, 0.5), id="once"))
    assert status == "FAILED_PRECONDITION"
    assert "once" in told


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.lists(st.binary(max_size=40), max_size=3), shape=st.lists(st.integers(-2, 2**40), max_size=3))
def test_whatever_bytes_come_it_is_the_senders_mistake_or_an_answer(rpc, raw, shape):
    request = messages()["ModelInferRequest"](model_name="late", raw_input_contents=raw)
    request.inputs.add(name="x", datatype="FP64", shape=shape)
    request.inputs.add(name="city", datatype="BYTES", shape=[1])
    code = None
    try:
        rpc.call("ModelInfer", request)
    except grpc.RpcError as error:
        code = error.code()
    assert code in (None, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize(
    ("key", "value"), [("origin", "http://evil.example"), ("host", "evil.example"), ("origin", "null"), ("host", "[")]
)
@pytest.mark.parametrize("method", ["ModelInfer", "ServerLive"])
def test_what_a_foreign_page_or_name_asks_through_a_proxy_is_refused(rpc, method, key, value):
    before = rpc.both.recorded()
    status, told = rpc.refused(asking() if method == "ModelInfer" else b"", method, metadata=[(key, value)])
    assert status == "PERMISSION_DENIED"
    assert value in told
    assert rpc.both.recorded() == before
    own = rpc.call(
        method, asking() if method == "ModelInfer" else b"", metadata=[(key, "http://localhost"[7 * (key == "host") :])]
    )
    assert own is not None


def test_what_browsers_speak_without_tls_is_not_answered(rpc):
    """A page that reaches this port by a name of its own speaks HTTP/1.1 with it: no call ever comes of that."""
    with socket.create_connection(("127.0.0.1", rpc.port), timeout=20) as link:
        link.sendall(f"POST /{SERVICE}/ServerLive HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 0\r\n\r\n".encode())
        said = b""
        while part := link.recv(65536):
            said += part
    assert not said.startswith(b"HTTP/1.1 200")


def test_a_version_without_probabilities_is_not_recorded_where_they_are_asked_for(tmp_path):
    class Labels:
        def predict(self, frame):
            return ["yes"] * len(frame)

    server = Both(tmp_path, late=Labels())
    try:
        x = {"name": "x", "shape": [1], "datatype": "FP64", "data": [0.5]}
        city = {"name": "city", "shape": [1], "datatype": "BYTES", "data": ["Ulm"]}
        answer = server.post("/v2/models/late/infer", {"inputs": [x, city], "outputs": [{"name": "probabilities"}]})
        assert answer.status_code == 404
        assert "no probabilities" in answer.json()["error"]
        assert server.recorded() == 0
        assert server.post("/v2/models/late/infer", {"inputs": [x, city]}).status_code == 200
    finally:
        server.close()
