"""The rows that serving leaves in the record: what was asked, what was answered, by whom, and what turned out true.

Predictions: request_id, row (position in the request), key, received, event_time, version, route ('champion', 'canary': answered by it;
'shadow': evaluated beside the answer), status ('ok', 'error'), latency_ms (of the batch that it was evaluated in), features (JSON text, null for shadows),
prediction, scores, error, caller, trace (a W3C trace id), sample (the share of requests that was recorded; null: all),
params (JSON text of what an MLflow scoring request told the model beside its rows; null: nothing, and for shadows). Labels: request_id, row, key, value (null: groups alone),
groups (JSON text: columns that the model does not have), received, event_time, label_id.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from homeostat.core.bulk import Bulk
from homeostat.core.columns import Signature
from homeostat.serve.answer import Question
from homeostat.serve.recording import EVERYTHING, Recording
from homeostat.serve.table import TALL, Table, schema_of
from homeostat.track.predictions import Predictions

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

RecordedRoute = Literal["champion", "canary", "shadow", "pinned"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MOST_ERROR = 500
_AT_ONCE = 8192  # rows that are encoded in one call: meanwhile the interpreter is not let go
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
    params: str | None = None


Recorded = PredictionRow | Bulk


def answered(
    asked: Question,
    predictions: Predictions,
    *,
    received: datetime,
    version: int,
    route: RecordedRoute,
    latency_ms: float,
    recording: Recording = EVERYTHING,
) -> Sequence[Recorded]:
    """Return what to record of a version that answered, or would have."""
    if not recording.takes(asked.request_id):
        return []
    first = _first(asked, received, recording, version=version, route=route, status="ok", latency_ms=latency_ms)
    scores = predictions.scores
    table = None if route == "shadow" else asked.table
    if asked.table.height >= TALL:
        labels = predictions.labels.tolist()
        return bulks(first, recording, table, labels, scores, keys=asked.keys, times=asked.times, key=asked.key)
    rows = _rows(first, asked, recording, table)
    for at, text in enumerate(_texts(predictions)):
        rows[at].prediction = text
        if scores is not None:
            rows[at].scores = scores[at].tolist()
    return rows


def bulks(
    first: PredictionRow,
    recording: Recording,
    table: Table | None,
    labels: Sequence[Any],
    scores: "npt.NDArray[np.float64] | None",
    *,
    keys: Sequence[str | None],
    times: Sequence[datetime | None],
    key: str | None = None,
    request_ids: Sequence[str] | None = None,
    places: Sequence[int] | None = None,
) -> Sequence[Recorded]:
    """Return the lines to record of many rows: what `first` says of all of them, and what is each row's own.

    `request_ids`, `places`: of each row, and where it stands in its request, where they are of several.
    """
    has_keys, has_times = (values.count(None) < len(values) for values in (keys, times))
    if not has_keys:
        first.key = recording.key(key)
    kept = None if table is None else recording.kept(table)
    found: list[Recorded] = []
    for at in range(0, len(labels), _AT_ONCE):
        end = min(at + _AT_ONCE, len(labels))
        line = Bulk(
            bulk=end - at,
            common=msgspec.structs.replace(first, row=at) if at else first,
            predictions=labels[at:end],
            scores=None if scores is None else scores[at:end].tobytes(),
            keys=[recording.key(key if own is None else own) for own in keys[at:end]] if has_keys else None,
            event_times=[None if t is None else microseconds(t) for t in times[at:end]] if has_times else None,
        )
        if request_ids is not None and places is not None:
            line.request_ids, line.rows = request_ids[at:end], places[at:end]
        if kept is not None:
            part = kept if end - at == kept.height else kept.slice(at, end)
            line.columns = part.names
            if part.is_float:
                line.numbers = part.matrix().tobytes()
            else:
                line.values = part.told_rows()
        found.append(line)
    return found


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
    if not recording.takes(asked.request_id):
        return []
    first = _first(asked, received, recording, version=version, route=route, status="error", latency_ms=latency_ms)
    first.error = error[:_MOST_ERROR]
    return _rows(first, asked, recording, None if route == "shadow" else asked.table)


def lines(rows: Sequence[Recorded]) -> bytes:
    """Return what to record as the record's segments hold it."""
    if len(rows) <= _AT_ONCE:
        return _encode_lines(rows)
    return b"".join(_encode_lines(rows[at : at + _AT_ONCE]) for at in range(0, len(rows), _AT_ONCE))


def count(rows: Sequence[Recorded]) -> int:
    """Return the number of rows."""
    return sum(row.bulk if isinstance(row, Bulk) else 1 for row in rows)


def number(rows: Sequence[Recorded], first: int) -> None:
    """Give rows their place in the order of writing, from `first` on."""
    for row in rows:
        if isinstance(row, Bulk):
            row.common.seq = first
            first += row.bulk
        else:
            row.seq = first
            first += 1


def _first(
    asked: Question,
    received: datetime,
    recording: Recording,
    *,
    version: int,
    route: str,
    status: str,
    latency_ms: float,
) -> PredictionRow:
    """Return what all rows of a request have in common."""
    return PredictionRow(
        request_id=asked.request_id,
        row=0,
        received=microseconds(received),
        version=version,
        route=route,
        status=status,
        latency_ms=latency_ms,
        caller=recording.caller(asked.caller),
        trace=asked.trace,
        sample=None if recording.is_whole else recording.share,
        params=recording.params(asked.table.params) if asked.table.params and route != "shadow" else None,
    )


def _rows(first: PredictionRow, asked: Question, recording: Recording, table: Table | None) -> list[PredictionRow]:
    """Return a row for each that was asked: what `first` says, and its own key, time and features."""
    texts: Sequence[str | None] = [None] * asked.table.height if table is None else recording.kept(table).texts()
    replace = msgspec.structs.replace
    return [
        replace(
            first,
            row=row,
            key=recording.key(asked.key if key is None else key),
            event_time=None if time is None else microseconds(time),
            features=text,
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

    What a row does not have (an older version's features, a shadow's row) is null. A column of which a row has a value of another type (from a version
    that took another) comes as texts.
    """
    import polars as pl

    schema = schema_of(signature.columns)
    if not schema:
        return pl.DataFrame(height=frame.height)
    texts = frame["features"].cast(pl.String)
    try:
        return texts.str.json_decode(pl.Struct(schema)).struct.unnest()
    except pl.exceptions.ComputeError:
        return pl.DataFrame([_column(texts, name, dtype) for name, dtype in schema.items()])


def _column(texts: "pl.Series", name: str, dtype: "pl.DataType") -> "pl.Series":
    """Return one column; as texts where a value is not of its type: whoever watches it sees what came."""
    import polars as pl

    try:
        return texts.str.json_decode(pl.Struct({name: dtype})).struct.field(name)
    except pl.exceptions.ComputeError:
        values = [None if text is None else msgspec.json.decode(text).get(name) for text in texts.to_list()]
        words = [value if isinstance(value, str | None) else _encode(value).decode() for value in values]
        return pl.Series(name, words, dtype=pl.String)
