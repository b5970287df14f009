"""MLflow's SQLite database, opened read-only. Tables and columns that an older release lacks are taken as empty."""

import json
import math
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from homeostat.app.import_mlflow.places import LocalPlaces
from homeostat.app.import_mlflow.source import model_id_in, time_of, time_or_none
from homeostat.app.import_mlflow.spans import loaded, otlp_of
from homeostat.core.errors import InvalidInput
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import (
    Experiment,
    InputDataset,
    LoggedModel,
    LoggedModelMetric,
    LoggedModelStatus,
    Point,
    Run,
    RunDetail,
    RunStatus,
)
from homeostat.core.traces import Assessment, AssessmentKind, Span, Trace, TraceState
from homeostat.track.traces import span_of

_PAGE = 200
_MOST = 1.7976931348623157e308  # how MLflow's databases write infinity
_STATUS = {
    0: LoggedModelStatus.PENDING,
    1: LoggedModelStatus.PENDING,
    2: LoggedModelStatus.READY,
    3: LoggedModelStatus.FAILED,
}
Json = dict[str, Any]


class SqliteSource:
    def __init__(self, path: Path, *, artifacts_root: Path | None = None) -> None:
        self.name = str(path.resolve())
        self._places = LocalPlaces(path.resolve().parent, root=artifacts_root)
        self._db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._db.row_factory = sqlite3.Row
        try:
            self._tables = {
                row["name"] for row in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            }
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise InvalidInput(f"'{path}' is not a SQLite database: {error}") from error
        if not {"experiments", "runs", "metrics"} <= self._tables:
            self._db.close()
            raise InvalidInput(
                f"'{path}' is not the database of an MLflow store: it has no table of experiments or runs"
            )

    def close(self) -> None:
        self._db.close()

    def experiments(self) -> Iterable[Experiment]:
        tags = self._pairs("experiment_tags", "experiment_id", None)
        for row in self._rows("SELECT * FROM experiments ORDER BY experiment_id"):
            yield Experiment(
                experiment_id=str(row["experiment_id"]),
                name=row["name"],
                created=time_of(row["creation_time"]),
                updated=time_of(row["last_update_time"] or row["creation_time"]),
                artifacts=row["artifact_location"] or "",
                lifecycle_stage=row["lifecycle_stage"] or "active",
                tags=tags.get(row["experiment_id"], {}),
            )

    def runs(self, experiment_id: str) -> Iterable[RunDetail]:
        """Runs by experiment, page by page in the order of their ids: nothing is held open between pages."""
        after = ""
        while rows := self._rows(
            "SELECT * FROM runs WHERE experiment_id = ? AND run_uuid > ? ORDER BY run_uuid LIMIT ?",
            int(experiment_id),
            after,
            _PAGE,
        ):
            after = rows[-1]["run_uuid"]
            ids = [row["run_uuid"] for row in rows]
            params, tags = self._pairs("params", "run_uuid", ids), self._pairs("tags", "run_uuid", ids)
            latest, used = self._latest(ids), self._inputs(ids)
            models = self._run_models(ids)
            for row in rows:
                run_id = row["run_uuid"]
                run = Run(
                    run_id=run_id,
                    experiment_id=str(row["experiment_id"]),
                    name=row["name"] or tags.get(run_id, {}).get("mlflow.runName", ""),
                    status=RunStatus(row["status"]),
                    started=time_of(row["start_time"]),
                    ended=time_or_none(row["end_time"]),
                    user=row["user_id"] or "",
                    artifacts=row["artifact_uri"] or "",
                    lifecycle_stage=row["lifecycle_stage"] or "active",
                    params=params.get(run_id, {}),
                    tags=tags.get(run_id, {}),
                )
                yield RunDetail(
                    run=run,
                    latest=tuple(latest.get(run_id, ())),
                    datasets=tuple(used.get(run_id, ())),
                    model_inputs=tuple(id_ for kind, id_, _ in models.get(run_id, ()) if kind == "RUN_INPUT"),
                    model_outputs=tuple(
                        (id_, step) for kind, id_, step in models.get(run_id, ()) if kind == "RUN_OUTPUT"
                    ),
                )

    def points(self, run: RunDetail) -> Iterator[Point]:
        found = self._db.execute(
            "SELECT key, value, timestamp, step, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, timestamp, step",
            (run.run.run_id,),
        )
        for row in found:
            yield _point(row)

    def logged_models(self, experiment_id: str) -> Iterable[LoggedModel]:
        rows = self._rows(
            "SELECT * FROM logged_models WHERE experiment_id = ? ORDER BY model_id",
            int(experiment_id),
            table="logged_models",
        )
        for row in rows:
            model_id = row["model_id"]
            metrics = self._rows(
                "SELECT * FROM logged_model_metrics WHERE model_id = ?", model_id, table="logged_model_metrics"
            )
            yield LoggedModel(
                model_id=model_id,
                experiment_id=str(row["experiment_id"]),
                name=row["name"],
                created=time_of(row["creation_timestamp_ms"]),
                updated=time_of(row["last_updated_timestamp_ms"]),
                artifacts=row["artifact_location"],
                status=_STATUS.get(row["status"], LoggedModelStatus.READY),
                status_message=row["status_message"] or "",
                model_type=row["model_type"] or "",
                source_run_id=row["source_run_id"] or "",
                lifecycle_stage=row["lifecycle_stage"] or "active",
                tags=self._named("logged_model_tags", "tag", model_id),
                params=self._named("logged_model_params", "param", model_id),
                metrics=tuple(
                    LoggedModelMetric(
                        model_id=model_id,
                        run_id=metric["run_id"],
                        key=metric["metric_name"],
                        value=_value(metric["metric_value"], is_nan=metric["metric_value"] is None),
                        time=time_of(metric["metric_timestamp_ms"]),
                        step=metric["metric_step"],
                        dataset_name=metric["dataset_name"] or "",
                        dataset_digest=metric["dataset_digest"] or "",
                    )
                    for metric in metrics
                ),
            )

    def models(self) -> Iterable[RegisteredModel]:
        tags = self._pairs("registered_model_tags", "name", None)
        for row in self._rows("SELECT * FROM registered_models ORDER BY name", table="registered_models"):
            created = time_of(row["creation_time"])
            yield RegisteredModel(
                name=row["name"],
                created=created,
                updated=time_or_none(row["last_updated_time"]) or created,
                description=row["description"] or "",
                tags=tags.get(row["name"], {}),
            )

    def versions(self, model: str) -> Iterable[ModelVersion]:
        rows = self._rows("SELECT * FROM model_versions WHERE name = ? ORDER BY version", model, table="model_versions")
        tags: dict[int, dict[str, str]] = {}
        if "model_version_tags" in self._tables:
            for row in self._rows("SELECT version, key, value FROM model_version_tags WHERE name = ?", model):
                tags.setdefault(row["version"], {})[row["key"]] = row["value"] or ""
        for row in rows:
            found: Json = dict(row)
            if found["current_stage"] == "Deleted_Internal":
                continue
            source = found["source"] or ""
            yield ModelVersion(
                model=model,
                version=found["version"],
                run_id=found["run_id"] or "",
                created=time_of(found["creation_time"]),
                updated=time_of(found["last_updated_time"] or found["creation_time"]),
                location=found.get("storage_location") or source,
                digests={},
                signature={},
                lineage={"run_id": found["run_id"] or ""},
                description=found["description"] or "",
                tags=tags.get(found["version"], {}),
                stage=found["current_stage"] or "None",
                source=source,
                model_id=model_id_in(source),
                run_link=found["run_link"] or "",
                user=found["user_id"] or "",
            )

    def aliases(self, model: str) -> Mapping[str, int]:
        query = "SELECT alias, version FROM registered_model_aliases WHERE name = ?"
        return {row["alias"]: row["version"] for row in self._rows(query, model, table="registered_model_aliases")}

    def traces(self, experiment_id: str) -> Iterator[tuple[Trace, list[Span]]]:
        after = ""
        while rows := self._rows(
            "SELECT * FROM trace_info WHERE experiment_id = ? AND request_id > ? ORDER BY request_id LIMIT ?",
            int(experiment_id),
            after,
            _PAGE,
            table="trace_info",
        ):
            after = rows[-1]["request_id"]
            ids = [row["request_id"] for row in rows]
            tags, facts = (
                self._pairs("trace_tags", "request_id", ids),
                self._pairs("trace_request_metadata", "request_id", ids),
            )
            for row in rows:
                yield self._trace(dict(row), tags, facts)

    def files(self, uri: str) -> list[tuple[str, int]]:
        return self._places.files(uri)

    def read(self, uri: str, path: str) -> Iterator[bytes]:
        return self._places.read(uri, path)

    def _trace(
        self, row: Json, tags: Mapping[Any, dict[str, str]], facts: Mapping[Any, dict[str, str]]
    ) -> tuple[Trace, list[Span]]:
        trace_id = row["request_id"]
        own = dict(tags.get(trace_id, {}))
        if row.get("trace_name"):
            own["mlflow.traceName"] = row["trace_name"]
        known = dict(facts.get(trace_id, {}))
        if row.get("session_id"):
            known["mlflow.trace.session"] = row["session_id"]
        for name, kind in (("mlflow.trace.tokenUsage", "tokens"), ("mlflow.trace.cost", "cost")):
            keys = [f"{each}_{kind}" for each in ("input", "output", "total")]
            said = {key: row[key] for key in keys if row.get(key) is not None}
            if said:
                known.setdefault(name, json.dumps(said))
        said_of = self._rows("SELECT * FROM assessments WHERE trace_id = ?", trace_id, table="assessments")
        spans = self._rows("SELECT content FROM spans WHERE trace_id = ? AND content != ''", trace_id, table="spans")
        trace = Trace(
            trace_id=trace_id,
            experiment_id=str(row["experiment_id"]),
            state=TraceState(row["status"])
            if row["status"] in TraceState.__members__
            else TraceState.STATE_UNSPECIFIED,
            started=time_of(row["timestamp_ms"]),
            duration_ms=row["execution_time_ms"],
            client_request_id=row.get("client_request_id"),
            request_preview=row.get("request_preview"),
            response_preview=row.get("response_preview"),
            is_final=True,
            tags=own,
            metadata=known,
            assessments=tuple(_assessment(dict(each)) for each in said_of),
        )
        return trace, [span_of(trace_id, otlp_of(json.loads(each["content"]))) for each in spans]

    def _latest(self, ids: Sequence[str]) -> dict[str, list[Point]]:
        out: dict[str, list[Point]] = {}
        for row in self._rows(f"SELECT * FROM latest_metrics WHERE run_uuid IN ({_marks(ids)}) ORDER BY key", *ids):  # noqa: S608 - marks only
            out.setdefault(row["run_uuid"], []).append(_point(row))
        return out

    def _inputs(self, ids: Sequence[str]) -> dict[str, list[InputDataset]]:
        if not {"inputs", "datasets", "input_tags"} <= self._tables:
            return {}
        out: dict[str, list[InputDataset]] = {}
        query = (
            "SELECT i.input_uuid, i.destination_id AS run_id, d.* FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id "  # noqa: S608 - marks only
            f"WHERE i.source_type = 'DATASET' AND i.destination_type = 'RUN' AND i.destination_id IN ({_marks(ids)})"
        )
        for row in self._rows(query, *ids):
            tags = self._rows("SELECT name, value FROM input_tags WHERE input_uuid = ?", row["input_uuid"])
            found = InputDataset(
                name=row["name"],
                digest=row["digest"],
                source_type=row["dataset_source_type"],
                source=row["dataset_source"],
                schema=row["dataset_schema"],
                profile=row["dataset_profile"],
                tags={each["name"]: each["value"] for each in tags},
            )
            out.setdefault(row["run_id"], []).append(found)
        return out

    def _run_models(self, ids: Sequence[str]) -> dict[str, list[tuple[str, str, int]]]:
        if "inputs" not in self._tables:
            return {}
        out: dict[str, list[tuple[str, str, int]]] = {}
        query = (
            "SELECT * FROM inputs WHERE source_type IN ('RUN_INPUT', 'RUN_OUTPUT') "  # noqa: S608 - marks only
            f"AND destination_type IN ('MODEL_INPUT', 'MODEL_OUTPUT') AND source_id IN ({_marks(ids)}) ORDER BY destination_id"
        )
        for row in self._rows(query, *ids):
            step = dict(row).get("step") or 0
            out.setdefault(row["source_id"], []).append((row["source_type"], row["destination_id"], step))
        return out

    def _pairs(self, table: str, owner: str, ids: Sequence[str] | None) -> dict[Any, dict[str, str]]:
        """Return key and value of each owner; all owners where no ids are given."""
        where = "" if ids is None else f" WHERE {owner} IN ({_marks(ids)})"
        query = f"SELECT {owner} AS owner, key, value FROM {table}{where}"  # noqa: S608 - names are ours, values are bound
        out: dict[Any, dict[str, str]] = {}
        for row in self._rows(query, *(ids or ()), table=table):
            out.setdefault(row["owner"], {})[row["key"]] = row["value"] or ""
        return out

    def _named(self, table: str, kind: str, model_id: str) -> dict[str, str]:
        query = f"SELECT {kind}_key AS key, {kind}_value AS value FROM {table} WHERE model_id = ?"  # noqa: S608 - names are ours
        return {row["key"]: row["value"] for row in self._rows(query, model_id, table=table)}

    def _rows(self, query: str, *values: object, table: str | None = None) -> list[sqlite3.Row]:
        if table is not None and table not in self._tables:
            return []
        return self._db.execute(query, values).fetchall()


def _assessment(row: Json) -> Assessment:
    return Assessment(
        assessment_id=row["assessment_id"],
        trace_id=row["trace_id"],
        name=row["name"],
        kind=AssessmentKind(row["assessment_type"]),
        source_type=row["source_type"],
        source_id=row["source_id"] or "default",
        created=time_of(row["created_timestamp"]),
        updated=time_of(row["last_updated_timestamp"]),
        value=loaded(row["value"]),
        error=json.loads(row["error"]) if row["error"] else None,
        rationale=row["rationale"],
        span_id=row["span_id"],
        metadata=json.loads(row["assessment_metadata"]) if row["assessment_metadata"] else {},
        overrides=row["overrides"],
        valid=bool(row["valid"]),
    )


def _point(row: sqlite3.Row) -> Point:
    return Point(row["key"], _value(row["value"], is_nan=bool(row["is_nan"])), row["timestamp"] or 0, row["step"] or 0)


def _value(value: float | None, *, is_nan: bool) -> float:
    if is_nan or value is None:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _MOST else float(value)


def _marks(ids: Sequence[str]) -> str:
    return ",".join("?" * len(ids))
