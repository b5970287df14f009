"""The MLflow-compatible API as OpenAPI operations: the paths of the discovered endpoints, and what their handlers read."""

import re
from collections.abc import Iterable
from typing import Any

from homeostat.web.mlflow_api.endpoint import Endpoint
from homeostat.web.mlflow_api.reading import Asked, Kind, read
from homeostat.web.openapi import Operation, parameter

Json = dict[str, Any]
_TEXT: Json = {"type": "string"}
_KINDS: dict[Kind, Json] = {
    "anything": {},
    "text": _TEXT,
    "integer": {"type": "integer", "format": "int64"},
    "number": {"anyOf": [{"type": "number"}, {"enum": ["NaN", "Infinity", "-Infinity"]}]},
    "flag": {"type": "boolean"},
    "texts": {"type": "array", "items": _TEXT},
    "items": {"type": "array", "items": {"type": "object"}},
    "item": {"type": "object"},
}
_FILE = {"application/octet-stream": {"type": "string", "format": "binary"}}


def operations(endpoints: Iterable[Endpoint]) -> list[Operation]:
    """Return what the endpoints do. Those that answer every method say only that nothing is there, and are left out."""
    return [_operation(each) for each in endpoints if each.method != "*"]


def _operation(endpoint: Endpoint) -> Operation:
    path = endpoint.paths[0]
    parameters = [
        parameter(name, "path", _with_example(_TEXT, endpoint, name), is_required=True) for name in endpoint.parameters
    ]
    body: dict[str, Json] | None = None
    if endpoint.streams:  # the handler takes the body as it comes, and reads nothing else
        body = _FILE
    else:
        found = read(endpoint)
        parameters += [
            parameter(name, "header", _with_example(_TEXT, endpoint, name), is_required=name in endpoint.examples)
            for name in found.headers
        ]
        if endpoint.method == "GET":
            parameters += [
                parameter(each.name, "query", _schema(each, endpoint), is_required=each.is_required)
                for each in found.fields
            ]
        elif found.fields or len(endpoint.takes) > 1:
            body = dict.fromkeys(endpoint.takes, _TEXT) | {"application/json": _object(found.fields, endpoint)}
    return Operation(
        method=endpoint.method,
        path=re.sub(r"\{(\w+)(:path)?\}", r"{\1}", path),
        tag=endpoint.handler.__module__.rpartition(".")[2].replace("_", " "),
        summary=(endpoint.handler.__doc__ or "").partition("\n")[0],
        parameters=parameters,
        body=body,
        answers=endpoint.answers,
        error="MlflowError",
    )


def _object(fields: Iterable[Asked], endpoint: Endpoint) -> Json:
    fields = list(fields)
    out: Json = {"type": "object", "properties": {each.name: _schema(each, endpoint) for each in fields}}
    needed = [each.name for each in fields if each.is_required]
    return out | ({"required": needed} if needed else {})


def _schema(field: Asked, endpoint: Endpoint) -> Json:
    schema = _KINDS[field.kind]
    if field.kind == "text" and field.is_required:
        schema = {**schema, "minLength": 1}
    return _with_example(schema, endpoint, field.name)


def _with_example(schema: Json, endpoint: Endpoint, name: str) -> Json:
    return {**schema, "examples": [endpoint.examples[name]]} if name in endpoint.examples else schema
