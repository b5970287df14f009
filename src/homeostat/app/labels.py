"""Sending what turned out true to the project's server, from a file."""

import http.client
import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from homeostat.app.wiring import House
from homeostat.core.errors import HomeostatError, InvalidInput, Unreachable, near
from homeostat.core.ids import derived_id

_FIELDS = ("request_id", "row", "key", "value", "time")
_PLACES = {"request_id", "key"}
_AT_ONCE = 1000
_TIMEOUT_S = 60.0


class Refused(HomeostatError):
    """What the server answered instead of taking the labels."""

    code = "refused"
    exit_status = 2


def send_labels(house: House, source: str, *, root: Path) -> tuple[int, int]:
    """Send the labels in a file and return how many were taken, and left out as their answers are not recorded. Sending the same file again changes nothing.

    The file has `value` and either `request_id` (and `row` where a request had many) or `key`, and may have `time`. Columns of `watch.groups` that
    the model does not have may be there too, or instead of `value`.
    """
    from homeostat.data.sources import read

    frame = read(source, root=root)
    groups = [name for name in house.project.group_columns if name in frame.columns and name not in _FIELDS]
    for name in frame.columns:
        if name not in _FIELDS and name not in groups:
            raise InvalidInput(
                f"'{source}' has a column '{name}' that no label has",
                hint=near(name, [*_FIELDS, *house.project.group_columns]),
            )
    if not ("value" in frame.columns or groups) or not _PLACES & set(frame.columns):
        raise InvalidInput(
            f"'{source}' has the columns {', '.join(frame.columns)}",
            hint="labels are columns value and request_id (and row), or value and key; a column time may be there",
        )
    rows = [_label(row, groups) for row in frame.iter_rows(named=True)]
    answers = [_post(house, rows[at : at + _AT_ONCE], source=source, before=at) for at in range(0, len(rows), _AT_ONCE)]
    return sum(int(each["accepted"]) for each in answers), sum(int(each.get("unsampled", 0)) for each in answers)


def _label(row: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    known = {name: _plain(value) for name, value in row.items() if value is not None}
    told = {name: known.pop(name) for name in groups if name in known}
    return {**known, "groups": told} if told else known


def _post(house: House, rows: list[dict[str, Any]], *, source: str, before: int) -> dict[str, Any]:
    serve = house.project.serve
    body = json.dumps({"labels": rows}).encode()
    connection = http.client.HTTPConnection(serve.host, serve.port, timeout=_TIMEOUT_S)
    try:
        connection.request(
            "POST",
            f"/models/{house.project.model}/labels",
            body=body,
            headers={"Content-Type": "application/json", "Idempotency-Key": derived_id("labels", body)},
        )
        answer = connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
    except (OSError, ValueError) as error:
        raise Unreachable(
            f"no server answers on {serve.host}:{serve.port}: {error}", hint="start it: `homeostat up`"
        ) from error
    finally:
        connection.close()
    if answer.status != http.client.OK and "error" in found:
        raise refusal(found["error"], source=source, before=before)
    return found


def refusal(error: dict[str, Any], *, source: str, before: int) -> Refused:
    """Return the server's refusal in terms of the file: its rows, and what of them is recorded already."""
    faults = error.get("fields")
    if not faults:
        return Refused(f"'{source}': {error['message']}", hint=error.get("hint"))
    first = faults[0]
    more = f", and {len(faults) - 1} other fault{'s' if len(faults) > 2 else ''}" if len(faults) > 1 else ""
    kept = f"the {before:,} labels before are recorded, and" if before else "none is recorded;"
    return Refused(
        f"'{source}': row {before + first['row'] + 1:,}: {first['field']}: expected {first['expected']}, found {first['found']}{more}",
        hint=f"rows count from 1, without the header; {kept} the corrected file can be sent whole",
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value
