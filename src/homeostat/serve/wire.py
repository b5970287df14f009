"""Answers, as JSON."""

import msgspec

from homeostat.core.columns import Signature
from homeostat.core.errors import HomeostatError, InvalidRows
from homeostat.core.records.routes import Route
from homeostat.core.values import Json
from homeostat.registry.routing import rules_json
from homeostat.serve.answer import Answer
from homeostat.track.predictions import Predictions

_encode = msgspec.json.Encoder().encode
_AT_ONCE = 8192


def answer_body(answer: Answer) -> bytes:
    """Return the answer as JSON."""
    head: Json = {"request_id": answer.request_id, "model": answer.model, "version": answer.version}
    predictions = answer.predictions
    rows = len(predictions)
    if rows <= _AT_ONCE:
        return _encode({**head, "predictions": _rows(predictions)})
    # in parts: the interpreter is let go between them, and only one is there as objects
    parts = (_encode(_rows(predictions, at, at + _AT_ONCE))[1:-1] for at in range(0, rows, _AT_ONCE))
    return _encode(head)[:-1] + b',"predictions":[' + b",".join(parts) + b"]}"


def _rows(predictions: Predictions, start: int = 0, stop: int | None = None) -> list[Json]:
    rows: list[Json] = [{"prediction": label} for label in predictions.labels[start:stop].tolist()]
    if predictions.scores is not None:
        names = [label if isinstance(label, str) else str(label) for label in predictions.classes]
        for row, scores in zip(rows, predictions.scores[start:stop].tolist(), strict=True):
            row["probabilities"] = dict(zip(names, scores, strict=True))
    return rows


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
        "params": [{"name": p.name, "type": p.type, "is_list": p.is_list} for p in signature.params],
    }
