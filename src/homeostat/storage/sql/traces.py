"""Traces in SQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Table, delete, func, select, update
from sqlalchemy.exc import DataError

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.traces import Assessment, AssessmentKind, Span, Trace, TraceQuery, TraceState
from homeostat.storage.sql.rows import insert_missing, record_of, upsert, values_of
from homeostat.storage.sql.schema.traces import (
    assessments,
    spans,
    trace_links,
    trace_metadata,
    trace_tags,
    traces,
)
from homeostat.storage.sql.trace_search import traces_statement

_MOST_IDS = 500
_ELSEWHERE = ("tags", "metadata", "assessments")
_PARTS = (assessments, spans, trace_links, trace_metadata, trace_tags)


class SqlTraces:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, trace: Trace) -> None:
        values = {**values_of(trace, without=_ELSEWHERE), "experiment_id": int(trace.experiment_id)}
        upsert(self._connection, traces, values)
        self._set(trace_tags, trace.trace_id, trace.tags)
        self._set(trace_metadata, trace.trace_id, trace.metadata)
        for assessment in trace.assessments:
            self.put_assessment(assessment)

    def find(self, trace_id: str) -> Trace | None:
        return next(iter(self.many([trace_id])), None)

    def get(self, trace_id: str) -> Trace:
        found = self.find(trace_id)
        if found is None:
            raise NotFound(f"Trace with ID '{trace_id}' not found.")
        return found

    def many(self, trace_ids: Sequence[str]) -> list[Trace]:
        rows: dict[str, Row[Any]] = {}
        for part in _parts(trace_ids):
            for row in self._connection.execute(select(traces).where(traces.c.trace_id.in_(part))):
                rows[row.trace_id] = row
        return self._read([rows[trace_id] for trace_id in dict.fromkeys(trace_ids) if trace_id in rows])

    def search(self, query: TraceQuery) -> list[Trace]:
        if query.experiment_ids is not None and not query.experiment_ids:
            return []
        statement = traces_statement(query, dialect=self._connection.dialect.name)
        try:
            rows = self._connection.execute(statement).all()
        except DataError as error:  # PostgreSQL reads fewer regular expressions than the check of them does
            raise InvalidInput(f"the database cannot compare with this: {str(error.orig).splitlines()[0]}") from error
        return self._read(rows)

    def ids(
        self,
        *,
        experiment_id: str,
        until: datetime | None = None,
        limit: int | None = None,
        trace_ids: Sequence[str] | None = None,
    ) -> list[str]:
        query = select(traces.c.trace_id).where(traces.c.experiment_id == int(experiment_id))
        if until is not None:
            query = query.where(traces.c.started <= until)
        query = query.order_by(traces.c.started, traces.c.trace_id).limit(limit)
        if trace_ids is None:
            return list(self._connection.scalars(query))
        return [
            each
            for part in _parts(trace_ids)
            for each in self._connection.scalars(query.where(traces.c.trace_id.in_(part)))
        ][:limit]

    def delete(self, trace_ids: Sequence[str]) -> int:
        count = 0
        for part in _parts(trace_ids):
            for table in _PARTS:
                self._connection.execute(delete(table).where(table.c.trace_id.in_(part)))
            count += self._connection.execute(delete(traces).where(traces.c.trace_id.in_(part))).rowcount
        return count

    def set_tag(self, trace_id: str, key: str, value: str) -> None:
        self._set(trace_tags, trace_id, {key: value})

    def delete_tag(self, trace_id: str, key: str) -> None:
        which = (trace_tags.c.trace_id == trace_id) & (trace_tags.c.key == key)
        if not self._connection.execute(delete(trace_tags).where(which)).rowcount:
            raise NotFound(f"No trace tag with key '{key}' for trace with ID '{trace_id}'")

    def link(self, trace_ids: Iterable[str], kind: str, targets: Iterable[str]) -> None:
        wanted = list(targets)
        rows = [{"trace_id": trace_id, "kind": kind, "target": target} for trace_id in trace_ids for target in wanted]
        if rows:
            insert_missing(self._connection, trace_links, *rows)

    def put_spans(self, found: Iterable[Span]) -> None:
        for span in found:
            upsert(self._connection, spans, values_of(span) | {"content": msgspec.json.encode(span.content).decode()})

    def spans(self, trace_ids: Sequence[str]) -> dict[str, list[str]]:
        out: dict[str, list[str]] = {trace_id: [] for trace_id in trace_ids}
        for part in _parts(trace_ids):
            query = select(spans.c.trace_id, spans.c.content).where(spans.c.trace_id.in_(part))
            for row in self._connection.execute(query.order_by(spans.c.start_ns, spans.c.span_id)):
                out[row.trace_id].append(row.content)
        return out

    def count_spans(self, trace_ids: Sequence[str]) -> dict[str, int]:
        out = dict.fromkeys(trace_ids, 0)
        for part in _parts(trace_ids):
            query = select(spans.c.trace_id, func.count().label("n")).where(spans.c.trace_id.in_(part))
            for row in self._connection.execute(query.group_by(spans.c.trace_id)):
                out[row.trace_id] = row.n
        return out

    def put_assessment(self, assessment: Assessment) -> None:
        values = values_of(assessment) | {"numeric": assessment.numeric}
        upsert(self._connection, assessments, values)

    def find_assessment(self, trace_id: str, assessment_id: str) -> Assessment | None:
        which = (assessments.c.trace_id == trace_id) & (assessments.c.assessment_id == assessment_id)
        row = self._connection.execute(select(assessments).where(which)).first()
        return None if row is None else _assessment(row)

    def set_valid(self, trace_id: str, assessment_id: str, *, valid: bool) -> bool:
        which = (assessments.c.trace_id == trace_id) & (assessments.c.assessment_id == assessment_id)
        return bool(self._connection.execute(update(assessments).where(which).values(valid=valid)).rowcount)

    def delete_assessment(self, trace_id: str, assessment_id: str) -> None:
        which = (assessments.c.trace_id == trace_id) & (assessments.c.assessment_id == assessment_id)
        self._connection.execute(delete(assessments).where(which))

    def _set(self, table: Table, trace_id: str, values: Mapping[str, str]) -> None:
        for key, value in values.items():
            upsert(self._connection, table, {"trace_id": trace_id, "key": key, "value": value})

    def _read(self, rows: Sequence[Row[Any]]) -> list[Trace]:
        ids = [row.trace_id for row in rows]
        tags: dict[str, dict[str, str]] = {each: {} for each in ids}
        facts: dict[str, dict[str, str]] = {each: {} for each in ids}
        said: dict[str, list[Assessment]] = {each: [] for each in ids}
        for part in _parts(ids):
            for table, into in ((trace_tags, tags), (trace_metadata, facts)):
                query = select(table).where(table.c.trace_id.in_(part)).order_by(table.c.key)
                for row in self._connection.execute(query):
                    into[row.trace_id][row.key] = row.value
            judged = select(assessments).where(assessments.c.trace_id.in_(part))
            for row in self._connection.execute(judged.order_by(assessments.c.created, assessments.c.assessment_id)):
                said[row.trace_id].append(_assessment(row))
        return [
            record_of(
                Trace,
                row,
                experiment_id=str(row.experiment_id),
                state=TraceState(row.state),
                tags=tags[row.trace_id],
                metadata=facts[row.trace_id],
                assessments=tuple(said[row.trace_id]),
            )
            for row in rows
        ]


def _assessment(row: Row[Any]) -> Assessment:
    return record_of(Assessment, row, kind=AssessmentKind(row.kind), metadata=dict(row.metadata))


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    """Lists short enough for a statement's parameters."""
    return (ids[start : start + _MOST_IDS] for start in range(0, len(ids), _MOST_IDS))
