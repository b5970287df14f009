"""The frame of the OpenAPI 3.1 documents: operations, and the two shapes that errors have."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from homeostat import __version__

Json: TypeAlias = dict[str, Any]
PATH = "/openapi.json"

_TEXT = {"type": "string"}
_ERRORS: dict[str, Json] = {
    "MlflowError": {
        "type": "object",
        "required": ["error_code", "message"],
        "properties": {"error_code": _TEXT, "message": _TEXT},
    },
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": _TEXT, "message": _TEXT, "hint": {"type": ["string", "null"]}},
            }
        },
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """What a method does at a path. `body` is its schema by media type, None where there is none."""

    method: str
    path: str
    tag: str
    summary: str
    parameters: list[Json] = field(default_factory=list)
    body: dict[str, Json] | None = None
    answers: str = "application/json"
    status: int = 200
    error: Literal["Error", "MlflowError"] = "Error"


def document(title: str, operations: Iterable[Operation], *, schemas: Json | None = None) -> Json:
    """Return the document that describes the operations. `schemas` are those that their bodies refer to."""
    paths: dict[str, Json] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _written(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": __version__,
            "description": "What is below /api/2.0/ answers below /api/3.0/ and below /ajax-api/ too.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": {**_ERRORS, **(schemas or {})}},
    }


def parameter(name: str, place: Literal["path", "query", "header"], schema: Json, *, is_required: bool) -> Json:
    return {"name": name, "in": place, "required": is_required, "schema": schema}


def _written(operation: Operation) -> Json:
    schema: Json = {"type": "object"} if operation.answers == "application/json" else {}
    failed = {"$ref": f"#/components/schemas/{operation.error}"}
    out: Json = {
        "operationId": re.sub(r"\W+", "_", f"{operation.method}{operation.path}").strip("_").lower(),
        "tags": [operation.tag],
        "responses": {
            str(operation.status): {"description": "Done.", "content": {operation.answers: {"schema": schema}}},
            "default": {"description": "Refused, and why.", "content": {"application/json": {"schema": failed}}},
        },
    }
    if operation.summary:
        out["summary"] = operation.summary
    if operation.parameters:
        out["parameters"] = operation.parameters
    if operation.body is not None:
        out["requestBody"] = {"content": {kind: {"schema": schema} for kind, schema in operation.body.items()}}
    return out
