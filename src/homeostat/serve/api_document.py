"""The OpenAPI 3.1 document of what is served: every endpoint of every door, those of models once for each model with its own columns."""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from homeostat import __version__
from homeostat.core.errors import Conflict
from homeostat.core.values import Json
from homeostat.serve.door import Desk, Door, Endpoint

_PLACE = re.compile(r"\{(\w+)\}")
_TEXT: Json = {"type": "string"}
_ERRORS: Json = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": _TEXT,
                    "message": _TEXT,
                    "hint": {"type": ["string", "null"]},
                    "fields": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["row", "field", "expected", "found"],
                            "properties": {
                                "row": {"type": "integer"},
                                "field": _TEXT,
                                "expected": _TEXT,
                                "found": _TEXT,
                            },
                        },
                    },
                },
            }
        },
    },
    "OtherError": {"type": "object", "description": "An error as the protocol has it."},
}


def document(desk: Desk, doors: Iterable[Door]) -> Json:
    """Return the document for what is served at this moment."""
    paths: dict[str, Json] = {}
    for door in doors:
        for endpoint in door.endpoints:
            for path, schemas in _described(desk, endpoint):
                paths.setdefault(path, {})[endpoint.method.lower()] = _operation(
                    endpoint, path, schemas, tag=door.name, versions=_versions(desk)
                )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Homeostat: inference",
            "version": __version__,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": _ERRORS},
    }


def _versions(desk: Desk) -> list[str]:
    return sorted({str(version) for route in desk.plane.routes.values() for version in route.versions})


def _described(desk: Desk, endpoint: Endpoint) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Yield the paths of an endpoint: one for each model that answers where it says what that model takes, else the pattern."""
    if endpoint.schema is None:
        yield endpoint.path, {}
        return
    if "{model}" not in endpoint.path:
        yield endpoint.path, endpoint.schema(desk, "")
        return
    for model in desk.plane.routes:
        try:
            schemas = endpoint.schema(desk, model)
        except Conflict:  # nobody answers for it yet
            continue
        yield endpoint.path.replace("{model}", quote(model, safe="")), schemas


def _operation(endpoint: Endpoint, path: str, schemas: Mapping[str, Any], *, tag: str, versions: list[str]) -> Json:
    failed = {"$ref": f"#/components/schemas/{'Error' if endpoint.errors is None else 'OtherError'}"}
    answer = {"application/json": {"schema": schemas["answer"]}} if "answer" in schemas else {"*/*": {}}
    answer.update({kind: {} for kind in schemas.get("answers_also", ())})
    made: Json = {
        "operationId": re.sub(r"\W+", "_", f"{endpoint.method}{path}").strip("_").lower(),
        "summary": endpoint.summary,
        "tags": [tag],
        "responses": {
            "200": {"description": "Done.", "content": answer},
            "default": {"description": "Refused, and why.", "content": {"application/json": {"schema": failed}}},
        },
    }
    names = _PLACE.findall(path)
    if names:
        known = {"version": {"type": "string", "examples": versions}}
        made["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": known.get(name, _TEXT)} for name in names
        ]
    if "request" in schemas:
        content: Json = {"application/json": {"schema": schemas["request"]}}
        content.update({kind: {"schema": {}} for kind in schemas.get("also", ())})
        made["requestBody"] = {"required": True, "content": content}
    return made
