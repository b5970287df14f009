"""Sends flights to the server as requests, the way an airline's system would: one request per airport and hour, truth a day later."""

import http.client
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl

from homeostat.demo.flights import TARGET, TIME


@dataclass(slots=True, kw_only=True)
class Tally:
    requests: int = 0
    rows: int = 0
    labels: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Airline:
    """One client of the server; `tally` counts what it saw."""

    host: str
    port: int
    model: str
    tally: Tally = field(default_factory=Tally)
    _connection: http.client.HTTPConnection | None = None
    _unlabelled: deque[tuple[str, list[int]]] = field(default_factory=deque)

    def fly(self, day: pl.DataFrame) -> None:
        """Ask about a day's flights hour by hour, then tell what became of those of the day before."""
        self.close()  # between two days a model may have been trained: the server does not keep an idle connection for ever
        due = len(self._unlabelled)
        for key, rows in _requests(day):
            answer = self._post("predict", {"request_id": key, "rows": rows.drop(TARGET).to_dicts()})
            self.tally.requests += 1
            self.tally.rows += rows.height
            if answer is None:
                continue
            version = int(answer["version"])
            self.tally.versions[version] = self.tally.versions.get(version, 0) + 1
            self._unlabelled.append((key, rows[TARGET].to_list()))
        told = [self._unlabelled.popleft() for _ in range(due)]
        labels = [
            {"request_id": key, "row": row, "value": value} for key, values in told for row, value in enumerate(values)
        ]
        if labels and self._post("labels", {"labels": labels}) is not None:
            self.tally.labels += len(labels)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, verb: str, body: dict[str, Any]) -> dict[str, Any] | None:
        """Return the answer; None, and one more failure, where it was no 200."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        content = json.dumps(body, default=_plain)
        try:
            self._connection.request(
                "POST", f"/models/{self.model}/{verb}", content, {"Content-Type": "application/json"}
            )
            answer = self._connection.getresponse()
            found: dict[str, Any] = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._connection = None
            self._failed(f"{verb}: {error}")
            return None
        if answer.status != http.client.OK:
            self._failed(f"{verb}: {answer.status} {found.get('error')}")
            return None
        return found

    def _failed(self, what: str) -> None:
        self.tally.failed += 1
        self.tally.failures.append(what)


def days(flights: pl.DataFrame, *, start: datetime) -> Iterator[tuple[date, pl.DataFrame]]:
    """Return the flights from `start` on, day by day."""
    later = flights.filter(pl.col(TIME) >= start).with_columns(pl.col(TIME).dt.date().alias("_day"))
    for (day,), rows in later.group_by(["_day"], maintain_order=True):
        assert isinstance(day, date)
        yield day, rows.drop("_day")


def _requests(day: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    hours = day.with_columns(pl.col(TIME).dt.truncate("1h").alias("_hour"))
    for (hour, origin), rows in hours.group_by(["_hour", "origin"], maintain_order=True):
        yield f"{origin}-{hour:%Y%m%d%H}", rows.drop("_hour")


def _plain(value: object) -> str:
    assert isinstance(value, datetime)
    return value.isoformat()
