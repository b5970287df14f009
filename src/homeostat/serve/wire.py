"""Answers, as JSON."""

import msgspec

from homeostat.core.columns import Signature
from homeostat.core.errors import HomeostatError, InvalidRows
from homeostat.core.records import Json, Route
from homeostat.registry.routing import rules_json
from homeostat.serve.answer import Answer

_encode = msgspec.json.Encoder().encode


def answer_json(answer: Answer) -> Json:
    """Return the answer as JSON-ready values."""
    predictions = answer.predictions
    rows: list[Json] = [{"prediction": label} for label in predictions.labels.tolist()]
    if predictions.scores is not None:
        names = [label if isinstance(label, str) else str(label) for label in predictions.classes]
        for row, scores in zip(rows, predictions.scores.tolist(), strict=True):
            row["probabilities"] = dict(zip(names, scores, strict=True))
    return {
        "request_id": answer.request_id,
        "model": answer.model,
        "version": answer.version,
        "predictions": rows,
    }


def answer_body(answer: Answer) -> bytes:
    """Return the answer as JSON."""
    return _encode(answer_json(answer))


def error_json(error: HomeostatError) -> Json:
    told: Json = {"code": error.code, "message": error.message, "hint": error.hint}
    if isinstance(error, InvalidRows) and error.fields:
        told["fields"] = error.fields
    return {"error": told}


def route_json(route: Route) -> Json:
    return {
        "generation": route.generation,
        "champion": route.champion,
        "shadow": route.shadow,
        "canary": route.canary,
        "canary_percent": route.canary_percent,
        **rules_json(route),
        "since": route.since,
    }


def signature_json(signature: Signature) -> Json:
    return {
        "task": signature.task.value,
        "target": signature.target,
        "classes": list(signature.classes),
        "columns": [{"name": c.name, "kind": c.kind.value, "nullable": c.nullable} for c in signature.columns],
    }
