"""Reading OpenTelemetry's export requests (OTLP 1.x, traces), in their binary and JSON forms.

The binary form is Protocol Buffers' wire format (protobuf.dev/programming-guides/encoding): each field is a key (number and wire type)
and a value. What is needed of `opentelemetry/proto/trace/v1/trace.proto` is the table `_MESSAGES`; a field that is not in it is skipped,
as the format asks. Both forms end as the JSON form with snake_case names, ids in base64 and integers as numbers, which is how clients of
this API expect spans back.
"""

import base64
import binascii
import math
import struct
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, TypeAlias

from homeostat.core.errors import InvalidInput

Json: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal["text", "bytes", "fixed64", "fixed32", "double", "uint", "int", "bool", "message"]

_MOST_DEPTH = 40
_INT64 = 1 << 63
_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5
_WIRE: dict[str, int] = {
    "text": _LEN,
    "bytes": _LEN,
    "message": _LEN,
    "fixed64": _I64,
    "double": _I64,
    "fixed32": _I32,
    "uint": _VARINT,
    "int": _VARINT,
    "bool": _VARINT,
}


class _Field(NamedTuple):
    name: str
    kind: Kind
    message: str = ""
    repeated: bool = False


_MESSAGES: dict[str, dict[int, _Field]] = {
    "Request": {1: _Field("resource_spans", "message", "ResourceSpans", repeated=True)},
    "ResourceSpans": {
        1: _Field("resource", "message", "Resource"),
        2: _Field("scope_spans", "message", "ScopeSpans", repeated=True),
    },
    "Resource": {1: _Field("attributes", "message", "KeyValue", repeated=True)},
    "ScopeSpans": {2: _Field("spans", "message", "Span", repeated=True)},
    "Span": {
        1: _Field("trace_id", "bytes"),
        2: _Field("span_id", "bytes"),
        3: _Field("trace_state", "text"),
        4: _Field("parent_span_id", "bytes"),
        5: _Field("name", "text"),
        6: _Field("kind", "uint"),
        7: _Field("start_time_unix_nano", "fixed64"),
        8: _Field("end_time_unix_nano", "fixed64"),
        9: _Field("attributes", "message", "KeyValue", repeated=True),
        10: _Field("dropped_attributes_count", "uint"),
        11: _Field("events", "message", "Event", repeated=True),
        12: _Field("dropped_events_count", "uint"),
        13: _Field("links", "message", "Link", repeated=True),
        14: _Field("dropped_links_count", "uint"),
        15: _Field("status", "message", "Status"),
        16: _Field("flags", "fixed32"),
    },
    "Event": {
        1: _Field("time_unix_nano", "fixed64"),
        2: _Field("name", "text"),
        3: _Field("attributes", "message", "KeyValue", repeated=True),
        4: _Field("dropped_attributes_count", "uint"),
    },
    "Link": {
        1: _Field("trace_id", "bytes"),
        2: _Field("span_id", "bytes"),
        3: _Field("trace_state", "text"),
        4: _Field("attributes", "message", "KeyValue", repeated=True),
        5: _Field("dropped_attributes_count", "uint"),
        6: _Field("flags", "fixed32"),
    },
    "Status": {2: _Field("message", "text"), 3: _Field("code", "uint")},
    "KeyValue": {1: _Field("key", "text"), 2: _Field("value", "message", "AnyValue")},
    "AnyValue": {
        1: _Field("string_value", "text"),
        2: _Field("bool_value", "bool"),
        3: _Field("int_value", "int"),
        4: _Field("double_value", "double"),
        5: _Field("array_value", "message", "ArrayValue"),
        6: _Field("kvlist_value", "message", "KeyValueList"),
        7: _Field("bytes_value", "bytes"),
    },
    "ArrayValue": {1: _Field("values", "message", "AnyValue", repeated=True)},
    "KeyValueList": {1: _Field("values", "message", "KeyValue", repeated=True)},
}
_HEX = {"trace_id", "span_id", "parent_span_id"}
_ENUMS = {
    "code": ("STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"),
    "kind": (
        "SPAN_KIND_UNSPECIFIED",
        "SPAN_KIND_INTERNAL",
        "SPAN_KIND_SERVER",
        "SPAN_KIND_CLIENT",
        "SPAN_KIND_PRODUCER",
        "SPAN_KIND_CONSUMER",
    ),
}


def read_protobuf(body: bytes) -> Json:
    """Return an export request in its binary form as JSON; raise InvalidInput where it is none."""
    try:
        return _message(memoryview(body), "Request", 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise _broken(
            "it ends in the middle of a field" if not isinstance(error, UnicodeDecodeError) else str(error)
        ) from error


def read_json(found: object) -> Json:
    """Return an export request in its (decoded) JSON form with names and values as `read_protobuf` gives them."""
    return _object(found, "Request", 0)


def _message(data: memoryview, kind: str, depth: int) -> Json:
    if depth > _MOST_DEPTH:
        raise _broken(f"it is nested more than {_MOST_DEPTH} deep")
    fields = _MESSAGES[kind]
    out: Json = {}
    for number, wire, value in _parts(data):
        field = fields.get(number)
        if field is None or wire != _WIRE[field.kind]:
            continue
        if field.message:
            assert isinstance(value, memoryview)
            read: Any = _message(value, field.message, depth + 1)
        else:
            read = _scalar(field.kind, value)
        if field.repeated:
            out.setdefault(field.name, []).append(read)
        else:
            out[field.name] = read
    return out


def _parts(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    """Yield (field number, wire type, value) of each field: numbers raw, the rest as bytes."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        value: int | memoryview
        if wire == _VARINT:
            value, at = _varint(data, at)
        elif wire == _LEN:
            size, at = _varint(data, at)
            if size > end - at:
                raise _broken("it ends in the middle of a field")
            value, at = data[at : at + size], at + size
        elif wire in (_I64, _I32):
            size = 8 if wire == _I64 else 4
            value, at = int.from_bytes(data[at : at + size], "little"), at + size
            if at > end:
                raise _broken("it ends in the middle of a field")
        else:
            raise _broken(f"wire type {wire} is not one that is in use")
        yield key >> 3, wire, value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & ((1 << 64) - 1), at
        shift += 7
        if shift > 63:
            raise _broken("a number is longer than 64 bits")


def _scalar(kind: Kind, value: int | memoryview) -> Any:
    if isinstance(value, memoryview):
        return _text(str(value, "utf-8")) if kind == "text" else base64.b64encode(value).decode()
    if kind == "bool":
        return bool(value)
    if kind == "double":
        return _double(struct.unpack("<d", value.to_bytes(8, "little"))[0])
    if kind == "int" and value >= _INT64:
        return value - 2 * _INT64
    return value


def _object(found: object, kind: str, depth: int) -> Json:
    if depth > _MOST_DEPTH:
        raise _broken(f"it is nested more than {_MOST_DEPTH} deep")
    if not isinstance(found, dict):
        raise _broken(f"a {kind} must be an object")
    out: Json = {}
    for field in _MESSAGES[kind].values():
        value = found.get(field.name)
        value = found.get(_camel(field.name)) if value is None else value
        if value is None:
            continue
        if field.repeated:
            if not isinstance(value, list):
                raise _broken(f"'{_camel(field.name)}' must be a list")
            out[field.name] = [_object(each, field.message, depth + 1) for each in value]
        elif field.message:
            out[field.name] = _object(value, field.message, depth + 1)
        else:
            out[field.name] = _value(field, value)
    return out


def _value(field: _Field, value: object) -> Any:  # noqa: C901 - one case per kind
    match field.kind:
        case "text" if isinstance(value, str):
            return _text(value)
        case "bool" if isinstance(value, bool):
            return value
        case "bytes" if isinstance(value, str):
            try:
                raw = bytes.fromhex(value) if field.name in _HEX else base64.b64decode(value, validate=True)
            except (ValueError, binascii.Error) as error:
                raise _broken(f"'{_camel(field.name)}' cannot be read: {error}") from error
            return base64.b64encode(raw).decode()
        case "double" if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                return _double(float(value))
            except (ValueError, OverflowError) as error:
                raise _broken(f"'{_camel(field.name)}' is not a number") from error
        case "uint" | "int" | "fixed64" | "fixed32" if isinstance(value, int | str) and not isinstance(value, bool):
            if value in _ENUMS.get(field.name, ()):
                return _ENUMS[field.name].index(str(value))
            try:
                number = int(value)
            except ValueError as error:
                raise _broken(f"'{_camel(field.name)}' is not a whole number") from error
            if not -_INT64 <= number < 2 * _INT64:
                raise _broken(f"'{_camel(field.name)}' does not fit 64 bits")
            return number
        case _:
            raise _broken(f"'{_camel(field.name)}' must not be a {type(value).__name__}")


def _double(value: float) -> float | str:
    """JSON has no NaN; Protocol Buffers' JSON form writes it as a text."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _text(value: str) -> str:
    """No database keeps NUL in a text; what cannot be encoded cannot be kept either."""
    return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _broken(why: str) -> InvalidInput:
    return InvalidInput(
        f"this is not an OTLP export request: {why}", hint="send ExportTraceServiceRequest as protobuf or JSON"
    )
