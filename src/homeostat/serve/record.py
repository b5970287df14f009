"""The rows that serving leaves in the record: what was asked, what was answered, by whom, and what turned out true.

Predictions: request_id, row (position in the request), key, received, event_time, version, route ('champion', 'canary': answered by it;
'shadow': evaluated beside the answer), status ('ok', 'error'), latency_ms (of the whole batch), features (JSON text, null for shadows),
prediction, scores, error. Labels: request_id, row, key, value, received, event_time, label_id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from homeostat.core.columns import Kind, Signature
from homeostat.core.records import Json
from homeostat.track.predictions import Predictions

RecordedRoute = Literal["champion", "canary", "shadow"]

_DTYPES: dict[Kind, pl.DataType] = {
    Kind.INTEGER: pl.Int64(),
    Kind.FLOAT: pl.Float64(),
    Kind.BOOLEAN: pl.Boolean(),
    Kind.CATEGORY: pl.String(),
    Kind.TEXT: pl.String(),
    Kind.DATETIME: pl.Datetime("us", "UTC"),
}


def schema_of(signature: Signature) -> dict[str, pl.DataType]:
    """Return the types that the columns of a request have, in the order of the signature."""
    return {column.name: _DTYPES[column.kind] for column in signature.columns}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """One request as it came: its validated features and, per row, the user's key and the time it is about (None: not given)."""

    model: str
    request_id: str
    received: datetime
    features: pl.DataFrame
    keys: Sequence[str | None]
    times: Sequence[datetime | None]


def answered(
    asked: Asked, predictions: Predictions, *, version: int, route: RecordedRoute, latency_ms: float
) -> list[Json]:
    """Return the rows to record of a version that answered, or would have."""
    labels = predictions.labels.tolist()
    scores = [None] * len(labels) if predictions.scores is None else predictions.scores.tolist()
    return [
        {**row, "prediction": label, "scores": score}
        for row, label, score in zip(_rows(asked, version, route, "ok", latency_ms), labels, scores, strict=True)
    ]


def failed(asked: Asked, error: str, *, version: int, route: RecordedRoute, latency_ms: float) -> list[Json]:
    """Return the rows to record of a version that could not answer."""
    return [{**row, "error": error[:500]} for row in _rows(asked, version, route, "error", latency_ms)]


def _rows(asked: Asked, version: int, route: str, status: str, latency_ms: float) -> list[Json]:
    texts = [None] * asked.features.height if route == "shadow" else features_text(asked.features)
    same = {
        "model": asked.model,
        "request_id": asked.request_id,
        "received": asked.received,
        "version": version,
        "route": route,
        "status": status,
        "latency_ms": latency_ms,
    }
    return [
        {**same, "row": row, "key": key, "event_time": time, "features": text}
        for row, (key, time, text) in enumerate(zip(asked.keys, asked.times, texts, strict=True))
    ]


def features_text(features: pl.DataFrame) -> list[Any]:
    """Return each row as JSON text; a model without features gives empty objects."""
    if not features.width:
        return ["{}"] * features.height
    return features.select(pl.struct(pl.all()).struct.json_encode()).to_series().to_list()


def features_frame(frame: pl.DataFrame, signature: Signature) -> pl.DataFrame:
    """Return the recorded features as a table in the signature's columns and order, a row for each row of `frame`.

    What a row does not have (an older version's features, a shadow's row) is null.
    """
    schema = schema_of(signature)
    if not schema:
        return pl.DataFrame(height=frame.height)
    return frame["features"].cast(pl.String).str.json_decode(pl.Struct(schema)).struct.unnest()
