"""The Open Inference Protocol over gRPC, on the event loop of the engine: the same plane, the same rules and the same record as over REST."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from homeostat.core.duration import size_bytes
from homeostat.core.errors import Conflict, HomeostatError, InvalidInput, MissingExtra, NotFound, Unreachable
from homeostat.serve.answer import Answer
from homeostat.serve.beside import MOST_BYTES, MOST_ROWS, beside
from homeostat.serve.border import Hosts
from homeostat.serve.door import Desk
from homeostat.serve.exchange import Request
from homeostat.serve.generation import Served
from homeostat.serve.questions import answered, said_id, version_of
from homeostat.serve.rpc.messages import METHODS, SERVICE, messages
from homeostat.serve.tensors import DTYPES, Tensor, datatype_of, label_type, outputs_of, packed, refuse_outputs, rows_of
from homeostat.serve.validate import Rows

log = logging.getLogger(__name__)
_CONTENTS = {
    "BOOL": "bool_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
_CODES = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "FAILED_PRECONDITION",
    413: "INVALID_ARGUMENT",
    422: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
Stop = Callable[[], Awaitable[None]]


async def serve(desk: Desk, *, host: str, port: int, drain_s: float = 5.0) -> tuple[int, Stop]:
    """Listen, and return the port and what ends it. Workers share the port.

    Raises MissingExtra without the extra `grpc`, Unreachable where the port is taken.
    """
    try:
        import grpc.aio
    except ImportError as error:
        raise MissingExtra("serve.grpc_port needs gRPC", extra="grpc") from error

    most = size_bytes(desk.settings.max_body)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", most),
            ("grpc.so_reuseport", 1),
            ("grpc.compression_enabled_algorithms_bitset", 1),  # none: nothing can unpack into more than `most`
        ],
        maximum_concurrent_rpcs=desk.settings.queue,
    )
    service = Service(desk)
    handlers = {name: grpc.unary_unary_rpc_method_handler(service.handler(name)) for name in METHODS}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
    try:
        bound = server.add_insecure_port(f"{f'[{host}]' if ':' in host else host}:{port}")
    except RuntimeError as error:
        raise Unreachable(
            f"cannot listen on {host} port {port} for gRPC", hint="set serve.grpc_port to a free one"
        ) from error
    await server.start()

    async def stop() -> None:
        await server.stop(drain_s)

    return bound, stop


class Service:
    """The six methods. Each takes the message and the call's context, and returns the answer's message."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._types = messages()
        self._hosts = Hosts(desk.settings.host)

    def handler(self, name: str) -> Callable[[bytes, Any], Awaitable[bytes]]:
        """Return what gRPC calls with the bytes of a request: errors become status codes, every call is counted."""
        methods = {
            "ServerLive": self.server_live,
            "ServerReady": self.server_ready,
            "ModelReady": self.model_ready,
            "ServerMetadata": self.server_metadata,
            "ModelMetadata": self.model_metadata,
            "ModelInfer": self.model_infer,
        }
        method, parse = methods[name], self._types[f"{name}Request"].FromString
        from google.protobuf.message import DecodeError
        from grpc import StatusCode

        async def handle(body: bytes, context: Any) -> bytes:
            start = time.perf_counter()
            refusal: tuple[Any, str] | None = None
            answer, status = b"", 200
            try:
                self._refuse_foreign(context)
                answer = await self._answered(method, parse, context, body)
            except DecodeError:
                status, refusal = 400, (StatusCode.INVALID_ARGUMENT, f"the body is no {name}Request")
            except HomeostatError as error:
                status = error.http_status
                code = StatusCode[_CODES.get(status, "INTERNAL")]
                refusal = code, error.message + (f" ({error.hint})" if error.hint else "")
            except Exception:  # border: a request; what is no HomeostatError is our fault
                log.exception("serve.request_broke", extra={"path": name})
                status, refusal = 500, (StatusCode.INTERNAL, "the server made a mistake; its log has the details")
            self._desk.plane.metrics.requested(f"grpc {name}", status, time.perf_counter() - start)
            if refusal is not None:
                await context.abort(*refusal)
            return answer

        return handle

    async def _answered(self, method: Any, parse: Any, context: Any, body: bytes) -> bytes:
        """Return the bytes of the answer; long requests have their turn one by one."""
        is_long = len(body) > MOST_BYTES
        async with self._desk.long_turn if is_long else nullcontext():
            asked = await beside(partial(parse, body), is_long=is_long)
            found = await method(asked, context, body)
            answer: bytes = await beside(found.SerializeToString, is_long=is_long)
            return answer

    async def server_live(self, asked: Any, context: Any, body: bytes) -> Any:
        del asked, context, body
        return self._types["ServerLiveResponse"](live=True)

    async def server_ready(self, asked: Any, context: Any, body: bytes) -> Any:
        del asked, context, body
        is_ready = any(route.champion is not None for route in self._desk.plane.routes.values())
        return self._types["ServerReadyResponse"](ready=is_ready)

    async def model_ready(self, asked: Any, context: Any, body: bytes) -> Any:
        """Whether the model can be asked: one that is not served is not ready."""
        del context, body
        try:
            self._served(asked.name, asked.version)
        except (NotFound, Conflict):
            return self._types["ModelReadyResponse"](ready=False)
        return self._types["ModelReadyResponse"](ready=True)

    async def server_metadata(self, asked: Any, context: Any, body: bytes) -> Any:
        from importlib.metadata import version

        del asked, context, body
        return self._types["ServerMetadataResponse"](name="homeostat", version=version("homeostat"))

    async def model_metadata(self, asked: Any, context: Any, body: bytes) -> Any:
        del context, body
        served = self._served(asked.name, asked.version)
        signature = served.signature
        outputs = [{"name": "predict", "datatype": label_type(signature), "shape": [-1]}]
        if signature.classes:
            outputs.append({"name": "probabilities", "datatype": "FP64", "shape": [-1, len(signature.classes)]})
        return self._types["ModelMetadataResponse"](
            name=served.model,
            versions=[str(version) for version in served.route.versions],
            platform=f"homeostat_{served.kind}",
            inputs=[{"name": c.name, "datatype": datatype_of(c), "shape": [-1]} for c in signature.columns],
            outputs=outputs,
        )

    async def model_infer(self, asked: Any, context: Any, body: bytes) -> Any:
        served = self._served(asked.model_name, asked.model_version)
        wanted = [output.name for output in asked.outputs]
        refuse_outputs(wanted, served.signature)
        rows = await beside(partial(_rows, served, asked), is_long=len(body) > MOST_BYTES)
        answer = await answered(
            self._desk,
            Request(method="POST", path=f"/{SERVICE}/ModelInfer", headers=_headers(context), body=body),
            served,
            rows,
            version=served.version if asked.model_version else None,
            request_id=said_id(asked.id),
            wants_scores="probabilities" in wanted,
        )
        return await beside(partial(self._told, asked, answer, served), is_long=rows.table.height > MOST_ROWS)

    def _told(self, asked: Any, answer: Answer, served: Served) -> Any:
        outputs = outputs_of(answer.predictions, served.signature)
        response = self._types["ModelInferResponse"](
            model_name=answer.model, model_version=str(answer.version), id=answer.request_id
        )
        is_raw = bool(asked.raw_input_contents)
        for name in [output.name for output in asked.outputs] or list(outputs):
            datatype, shape, values = outputs[name]
            told = response.outputs.add(name=name, datatype=datatype, shape=shape)
            if is_raw:
                response.raw_output_contents.append(packed(datatype, values))
            else:
                getattr(told.contents, _CONTENTS[datatype]).extend(_plain(values))
        return response

    def _refuse_foreign(self, context: Any) -> None:
        """Raise NotAllowed where the metadata name a foreign host, or the page of a browser behind a proxy.

        The `:authority` itself is not told by gRPC's asyncio server. No browser speaks its HTTP/2 without TLS, so no page reaches this port directly.
        """
        said = {key: value for key, value in context.invocation_metadata() or () if key in ("host", "origin")}
        if said:
            self._hosts.refuse_foreign(host=said.get("host"), origin=said.get("origin"))

    def _served(self, model: str, version: str) -> Served:
        return self._desk.plane.served(model, version_of(version) if version else None)


def _rows(served: Served, asked: Any) -> Rows:
    return rows_of(served.decoder, tensors_of(asked))


def tensors_of(asked: Any) -> list[Tensor]:
    """Return the inputs of a request, whose values are raw for all of them or for none."""
    raw: Sequence[bytes] = asked.raw_input_contents
    if raw and len(raw) != len(asked.inputs):
        raise InvalidInput(
            f"{len(raw)} raw_input_contents for {len(asked.inputs)} inputs",
            hint="send one for each input, in its order",
        )
    found = []
    for at, each in enumerate(asked.inputs):
        tensor = Tensor(name=each.name, shape=list(each.shape), datatype=each.datatype)
        if raw:
            if each.HasField("contents"):
                raise InvalidInput(
                    f"input '{each.name[:100]}' has contents, and raw_input_contents are there", hint="send one of them"
                )
            tensor.raw = raw[at]
        else:
            tensor.data = _values(each)
        found.append(tensor)
    return found


def _values(tensor: Any) -> list[Any]:
    field = _CONTENTS.get(tensor.datatype)
    if field is None:
        if tensor.datatype in DTYPES:
            raise InvalidInput(
                f"input '{tensor.name[:100]}' is {tensor.datatype}, which has no contents",
                hint="send raw_input_contents",
            )
        return []  # an unknown datatype: refused where all are
    given = [other.name for other, _ in tensor.contents.ListFields()]
    wrong = [name for name in given if name != field]
    if wrong:
        raise InvalidInput(
            f"input '{tensor.name[:100]}' is {tensor.datatype}, and has {wrong[0]}", hint=f"send {field} instead"
        )
    values = list(getattr(tensor.contents, field))
    if field != "bytes_contents":
        return values
    try:
        return [value.decode() for value in values]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"input '{tensor.name[:100]}' holds bytes that are no UTF-8", hint="send text") from error


def _plain(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray):
        plain: list[Any] = values.tolist()
        return plain
    return [str(value).encode() for value in values]


def _headers(context: Any) -> dict[str, str]:
    """Return the call's metadata as headers; the call's deadline is that of the answer."""
    headers = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    left = context.time_remaining()
    if left is not None and 0.0 < left < 1e6:
        headers["x-request-timeout-ms"] = f"{left * 1e3:.3f}"
    return headers
