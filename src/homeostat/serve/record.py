"""The rows that serving leaves in the record: what was asked, what was answered, by whom, and what turned out true.

Predictions: request_id, row (position in the request), key, received, event_time, version, route ('champion', 'canary': answered by it;
'shadow': evaluated beside the answer), status ('ok', 'error'), latency_ms (of the batch that it was evaluated in), features (JSON text, null for shadows),
prediction, scores, error, caller, trace (a W3C trace id), sample (the share of requests that was recorded; null: all). Labels: request_id, row, key, value (null: groups alone),
groups (JSON text: columns that the model does not have), received, event_time, label_id.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from homeostat.core.columns import Signature
from homeostat.serve.answer import Question
from homeostat.serve.recording import EVERYTHING, Recording
from homeostat.serve.table import schema_of
from homeostat.track.predictions import Predictions

if TYPE_CHECKING:
    import polars as pl

RecordedRoute = Literal["champion", "canary", "shadow", "pinned"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_ERROR = 500
_AT_ONCE = 8192
_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines


class PredictionRow(msgspec.Struct, omit_defaults=True, gc=False):
    """A row as it is written: times in microseconds since 1970, `prediction` and `features` as JSON texts, `seq` the order of writing."""

    request_id: str
    row: int
    received: int
    version: int
    route: str
    status: str
    latency_ms: float
    seq: int = 0
    key: str | None = None
    event_time: int | None = None
    features: str | None = None
    prediction: str | None = None
    scores: list[float] | None = None
    error: str | None = None
    caller: str | None = None
    trace: str | None = None
    sample: float | None = None


def answered(
    asked: Question,
    predictions: Predictions,
    *,
    received: datetime,
    version: int,
    route: RecordedRoute,
    latency_ms: float,
    recording: Recording = EVERYTHING,
) -> list[PredictionRow]:
    """Return the rows to record of a version that answered, or would have."""
    rows = _rows(asked, received, recording, version=version, route=route, status="ok", latency_ms=latency_ms)
    if not rows:
        return rows
    told = _texts(predictions)
    scores = None if predictions.scores is None else predictions.scores.tolist()
    for at, row in enumerate(rows):
        row.prediction = told[at]
        if scores is not None:
            row.scores = scores[at]
    return rows


def failed(
    asked: Question,
    error: str,
    *,
    received: datetime,
    version: int,
    route: RecordedRoute,
    latency_ms: float,
    recording: Recording = EVERYTHING,
) -> list[PredictionRow]:
    """Return the rows to record of a version that could not answer."""
    rows = _rows(asked, received, recording, version=version, route=route, status="error", latency_ms=latency_ms)
    for row in rows:
        row.error = error[:_MOST_ERROR]
    return rows


def lines(rows: Sequence[PredictionRow]) -> bytes:
    """Return the rows as the record's segments hold them."""
    if len(rows) <= _AT_ONCE:
        return _encode_lines(rows)
    # the interpreter is not let go while one call encodes: others wait no longer than for a part
    return b"".join(_encode_lines(rows[at : at + _AT_ONCE]) for at in range(0, len(rows), _AT_ONCE))


def _rows(
    asked: Question,
    received: datetime,
    recording: Recording,
    *,
    version: int,
    route: str,
    status: str,
    latency_ms: float,
) -> list[PredictionRow]:
    if not recording.takes(asked.request_id):
        return []
    at, caller = microseconds(received), recording.caller(asked.caller)
    sample = None if recording.is_whole else recording.share
    texts: Sequence[str | None] = [None] * asked.table.height if route == "shadow" else recording.texts(asked.table)
    return [
        PredictionRow(
            request_id=asked.request_id,
            row=row,
            received=at,
            version=version,
            route=route,
            status=status,
            latency_ms=latency_ms,
            key=recording.key(asked.key if key is None else key),
            event_time=None if time is None else microseconds(time),
            features=text,
            caller=caller,
            trace=asked.trace,
            sample=sample,
        )
        for row, (key, time, text) in enumerate(zip(asked.keys, asked.times, texts, strict=True))
    ]


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 of an aware time."""
    return (moment - _EPOCH) // _MICROSECOND


def _texts(predictions: Predictions) -> list[str]:
    """Return each label as JSON. Classes are few: each is put into words once."""
    labels: list[Any] = predictions.labels.tolist()
    if predictions.classes:
        words = {label: _encode(label).decode() for label in set(labels)}
        return [words[label] for label in labels]
    return [_encode(label).decode() for label in labels]


def features_frame(frame: "pl.DataFrame", signature: Signature) -> "pl.DataFrame":
    """Return the recorded features as a table in the signature's columns and order, a row for each row of `frame`.

    What a row does not have (an older version's features, a shadow's row) is null.
    """
    import polars as pl

    schema = schema_of(signature.columns)
    if not schema:
        return pl.DataFrame(height=frame.height)
    return frame["features"].cast(pl.String).str.json_decode(pl.Struct(schema)).struct.unnest()
