"""What people, judges and code say of traces."""

from typing import Any
from uuid import uuid4

from homeostat.core.ports.store import Transaction
from homeostat.track import traces
from homeostat.web.mlflow_api.call import Call, as_text, missing, wrong
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Read, Write
from homeostat.web.mlflow_api.errors import invalid
from homeostat.web.mlflow_api.tracing import (
    read_assessment,
    read_name,
    read_value,
    texts,
    trace_id_of,
    write_assessment,
)

Json = dict[str, Any]
_EXAMPLE = {
    "assessment_name": "is_right",
    "source": {"source_type": "HUMAN", "source_id": "ann"},
    "feedback": {"value": True},
    "rationale": "It says what was asked.",
    "metadata": {"round": "1"},
}


def create(call: Call, desk: Desk) -> Write:
    given = call.item("assessment")
    if given is None:
        raise missing("assessment")
    trace_id = trace_id_of(call.params["trace_id"])
    new = {key: value for key, value in given.items() if key != "assessment_id"}  # ids are the server's to give
    found = read_assessment(new, trace_id=trace_id, now=desk.clock.now(), new_id=f"a-{uuid4().hex}")
    return Write(lambda tx: {"assessment": write_assessment(traces.add_assessment(tx, found))})


def get(call: Call, _desk: Desk) -> Read:
    def work(tx: Transaction) -> Json:
        found = traces.get_assessment(tx, call.params["trace_id"], call.params["assessment_id"])
        return {"assessment": write_assessment(found)}

    return Read(work)


def change(call: Call, desk: Desk) -> Write:
    """Only the fields that the mask names are changed."""
    given, now = call.item("assessment"), desk.clock.now()
    if given is None:
        raise missing("assessment")
    mask = _mask(call)
    changes: Json = {}
    kind = None
    for path in mask:
        match path:
            case "assessment_name":
                changes["name"] = read_name(given)
            case "rationale":
                changes[path] = as_text(given.get(path), path)
            case "metadata":
                changes[path] = texts(given, path)
            case "feedback" | "expectation" | "issue":
                kind, changes["value"], changes["error"] = read_value({path: given.get(path)})
            case _:
                raise invalid(f"Field '{path[:100]}' of an assessment cannot be updated.")
    trace_id, assessment_id = call.params["trace_id"], call.params["assessment_id"]

    def work(tx: Transaction) -> Json:
        found = traces.change_assessment(tx, trace_id, assessment_id, kind=kind, changes=changes, now=now)
        return {"assessment": write_assessment(found)}

    return Write(work)


def remove(call: Call, _desk: Desk) -> Write:
    trace_id, assessment_id = call.params["trace_id"], call.params["assessment_id"]
    return Write(lambda tx: traces.remove_assessment(tx, trace_id, assessment_id), after=lambda _: {})


def _mask(call: Call) -> list[str]:
    """A field mask is one text in camel case, its paths divided by commas; some clients send the list."""
    mask = call.fields.get("update_mask", call.fields.get("updateMask"))
    if isinstance(mask, dict):
        mask = mask.get("paths")
    if isinstance(mask, list):
        return [as_text(each, "update_mask") for each in mask]
    if not isinstance(mask, str):
        raise missing("update_mask") if mask is None else wrong("update_mask", mask)
    return ["".join(f"_{c.lower()}" if c.isupper() else c for c in path) for path in mask.split(",") if path]


ENDPOINTS = (
    Endpoint("POST", "traces/{trace_id}/assessments", create, examples={"assessment": _EXAMPLE}),
    Endpoint("GET", "traces/{trace_id}/assessments/{assessment_id}", get),
    Endpoint(
        "PATCH",
        "traces/{trace_id}/assessments/{assessment_id}",
        change,
        examples={"assessment": _EXAMPLE, "update_mask": "feedback,rationale"},
    ),
    Endpoint("DELETE", "traces/{trace_id}/assessments/{assessment_id}", remove),
)
