"""Labels as they come in over the wire: checked against what the model answers, and made rows of the record."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from homeostat.core.columns import Column, Signature, Task
from homeostat.core.errors import InvalidRows, near
from homeostat.core.ids import derived_id
from homeostat.core.values import Json
from homeostat.serve.recording import EVERYTHING, Recording
from homeostat.serve.validate import MOST_FIELDS, described, instant, value_of

_FIELDS = frozenset(["request_id", "row", "key", "value", "groups", "time"])
_MOST_NAME = 100


def label_rows(
    labels: Sequence[Any],
    *,
    model: str,
    signature: Signature,
    received: datetime,
    max_labels: int,
    idempotency_key: str | None,
    new_id: Callable[[], str],
    recording: Recording = EVERYTHING,
) -> list[Json]:
    """Return the rows to record, or raise InvalidRows naming at most 20 places; all are taken or none.

    Labels of requests that `recording` does not take are left out: there is no answer beside them.

    A label names a request id (and a row of it, 0 if not given) or the user's key, has a value, and may say since when it is true
    (`time`). Beside the value or instead of it, it may have `groups`: of `recording.groups`, columns that the model does not take. With an idempotency key, sending the same labels again makes rows of the same ids, which the record shows once.
    """
    if not labels or len(labels) > max_labels:
        raise InvalidRows(
            f"{len(labels)} labels in one request, 1 to {max_labels} are taken",
            hint='send {"labels": [{"request_id": ..., "value": ...}, ...]}, in parts where they are many',
        )
    faults: list[dict[str, object]] = []
    rows = []
    for at, label in enumerate(labels):
        try:
            row = _row(label, signature, recording)
        except _Fault as fault:
            faults.append({"row": at, "field": fault.field, "expected": fault.expected, "found": fault.found})
            if len(faults) == MOST_FIELDS:
                break
            continue
        if row["request_id"] is not None and not recording.takes(row["request_id"]):
            continue
        label_id = new_id() if idempotency_key is None else _derived(model, idempotency_key, at, row)
        rows.append({**row, "model": model, "received": received, "label_id": label_id})
    if faults:
        first = faults[0]
        raise InvalidRows(
            f"label {first['row']} of {len(labels)}: field '{first['field']}': expected {first['expected']}, found {first['found']}",
            hint="nothing of this request was recorded",
            fields=faults,
        )
    return rows


class _Fault(Exception):
    """Not an error of its own: collected above."""

    def __init__(self, field: str | None, expected: str, value: Any) -> None:
        super().__init__(field)
        self.field = None if field is None else field[:_MOST_NAME]
        self.expected = expected
        self.found = described(value)


def _row(label: Any, signature: Signature, recording: Recording) -> Json:
    if not isinstance(label, dict):
        raise _Fault(None, "an object with request_id or key, and value", label)
    for name in sorted(label.keys() - _FIELDS):
        hint = near(name, _FIELDS - label.keys())
        raise _Fault(name, "no such field" + (f"; {hint}" if hint else ""), label[name])
    request_id, key, row = label.get("request_id"), label.get("key"), label.get("row")
    if request_id is not None and (not isinstance(request_id, str) or not request_id):
        raise _Fault("request_id", "the id that the answer carried", request_id)
    if isinstance(key, list | dict):
        raise _Fault("key", "a string or a number", key)
    if request_id is None and key is None:
        raise _Fault("request_id", "a request id or a key", None)
    if request_id is None and recording.drops_key:
        raise _Fault("request_id", "a request id, as keys are not recorded (record.drop)", None)
    if request_id is None and not recording.is_whole:
        # the key's last answer may be one that was not recorded: the label would go to an older one
        raise _Fault("request_id", "a request id, as not every answer is recorded (record.sample)", None)
    if row is not None and (type(row) is not int or not 0 <= row < 2**31):
        raise _Fault("row", "the position of the row in its request, from 0", row)
    groups = _groups(label.get("groups"), recording)
    if "value" not in label and groups is None:
        raise _Fault("value", _wanted(signature), None)
    return {
        "request_id": request_id,
        "row": None if request_id is None else row or 0,
        "key": recording.key(None if key is None else str(key)),
        "value": truth(label["value"], signature) if "value" in label else None,
        "groups": groups,
        "event_time": _time(label.get("time")),
    }


def truth(value: Any, signature: Signature) -> Any:
    """Return a label's value as the model's task has it: a finite number, or one of its classes."""
    if signature.task is Task.REGRESSION:
        if type(value) in (int, float) and abs(value) <= sys.float_info.max:
            return value
        raise _Fault("value", _wanted(signature), value)
    for label in signature.classes:
        if isinstance(label, bool) == isinstance(value, bool) and label == value:
            return label
    raise _Fault("value", _wanted(signature), value)


def _groups(found: Any, recording: Recording) -> str | None:
    """Return the columns that a label brings as JSON, None for none."""
    if found is None:
        return None
    if not isinstance(found, dict):
        raise _Fault("groups", "an object of columns", found)
    told = {}
    for name, value in found.items():
        if name not in recording.groups:
            hint = near(name, recording.groups.keys() - found.keys())
            what = "a column of data.exclude that watch.groups names" + (f"; {hint}" if hint else "")
            raise _Fault(f"groups.{name}", what, value)
        kind = recording.groups[name]
        if isinstance(value, list | dict):
            raise _Fault(f"groups.{name}", "a string, a number, true, false or null", value)
        try:
            told[name] = value if kind is None else value_of(Column(name=name, kind=kind), value)
        except ValueError as error:
            raise _Fault(f"groups.{name}", str(error), value) from error
    return msgspec.json.encode(told, order="sorted").decode() if told else None


def _wanted(signature: Signature) -> str:
    if signature.task is Task.REGRESSION:
        return "a finite number"
    shown = ", ".join(msgspec.json.encode(label).decode() for label in signature.classes[:10])
    return f"one of {shown}" + (", ..." if len(signature.classes) > 10 else "")


def _time(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        return instant(value)
    except (ValueError, OverflowError) as error:
        raise _Fault("time", "a time in ISO 8601", value) from error


def _derived(model: str, key: str, at: int, row: Json) -> str:
    """The content is part of the id: other labels under the same idempotency key are other labels, and none is lost."""
    return derived_id("label", model, key, at, msgspec.json.encode(row, order="sorted").decode())
