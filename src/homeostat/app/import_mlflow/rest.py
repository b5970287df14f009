"""An MLflow server, asked by REST as its own client asks it."""

import base64
import http.client
import json
import math
import os
import ssl
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from homeostat.app.import_mlflow.rest_traces import spans_of, trace_of
from homeostat.app.import_mlflow.source import model_id_in, time_of, time_or_none
from homeostat.core.errors import InvalidInput, NotFound, Unreachable
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
from homeostat.core.traces import SPANS_TAG, Span, Trace
from homeostat.track.traces import IN_STORE

Json = dict[str, Any]
_TIMEOUT_S = 60.0
_TRIES = 3
_PIECE_BYTES = 4 << 20
_PROXIED = "mlflow-artifacts"
_ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
_STATUS = {"LOGGED_MODEL_READY": LoggedModelStatus.READY, "LOGGED_MODEL_UPLOAD_FAILED": LoggedModelStatus.FAILED}
_NOT_THERE = {"ENDPOINT_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST", "NOT_FOUND"}


class RestSource:
    """MLFLOW_TRACKING_USERNAME and _PASSWORD, or _TOKEN, are sent where they are set, as MLflow's client does."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if not parts.hostname or parts.query or parts.fragment:
            raise InvalidInput(f"'{url}' is not the address of a server", hint="write http://host:5000")
        self.name = (
            f"{parts.scheme}://{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}{parts.path}"
        )
        self._prefix = parts.path.rstrip("/")
        self._parts = parts
        self._connection: http.client.HTTPConnection | None = None
        self._headers = {"Accept": "application/json", **_credentials()}

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def experiments(self) -> Iterable[Experiment]:
        for each in self._pages("POST", "experiments/search", "experiments", view_type="ALL", max_results=1000):
            created = time_of(_int(each.get("creation_time")))
            yield Experiment(
                experiment_id=each["experiment_id"],
                name=each["name"],
                created=created,
                updated=time_or_none(_int(each.get("last_update_time"))) or created,
                artifacts=each.get("artifact_location", ""),
                lifecycle_stage=each.get("lifecycle_stage", "active"),
                tags=_pairs(each.get("tags")),
            )

    def runs(self, experiment_id: str) -> Iterable[RunDetail]:
        found = self._pages(
            "POST", "runs/search", "runs", experiment_ids=[experiment_id], run_view_type="ALL", max_results=1000
        )
        for each in found:
            yield _run(each)

    def points(self, run: RunDetail) -> Iterator[Point]:
        for latest in run.latest:
            found = self._pages(
                "GET",
                "metrics/get-history",
                "metrics",
                run_id=run.run.run_id,
                metric_key=latest.key,
                max_results=25_000,
            )
            for each in found:
                yield _point(each)

    def logged_models(self, experiment_id: str) -> Iterable[LoggedModel]:
        try:
            found = list(
                self._pages("POST", "logged-models/search", "models", experiment_ids=[experiment_id], max_results=50)
            )
        except NotFound:
            return
        for each in found:
            yield _logged_model(each)

    def models(self) -> Iterable[RegisteredModel]:
        for prompts in ("false", "true"):
            yield from self._models(prompts)

    def _models(self, prompts: str) -> Iterable[RegisteredModel]:
        """Prompts are found only when they are asked for."""
        condition = "tags.`mlflow.prompt.is_prompt` = 'true'" if prompts == "true" else ""
        for each in self._pages(
            "GET", "registered-models/search", "registered_models", max_results=1000, filter=condition
        ):
            tags = _pairs(each.get("tags"))
            if (tags.get("mlflow.prompt.is_prompt", "").lower() == "true") != (prompts == "true"):
                continue
            created = time_of(_int(each.get("creation_timestamp")))
            yield RegisteredModel(
                name=each["name"],
                created=created,
                updated=time_or_none(_int(each.get("last_updated_timestamp"))) or created,
                description=each.get("description", ""),
                tags=tags,
            )

    def versions(self, model: str) -> Iterable[ModelVersion]:
        quoted = model.replace("'", "''")
        conditions = [f"name = '{quoted}'"]
        if self._is_prompt(model):
            conditions.append("tags.`mlflow.prompt.is_prompt` = 'true'")
        found = self._pages(
            "GET", "model-versions/search", "model_versions", filter=" AND ".join(conditions), max_results=1000
        )
        for each in sorted(found, key=lambda version: int(version["version"])):
            yield self._version(model, each)

    def aliases(self, model: str) -> Mapping[str, int]:
        found = self._ask("GET", "registered-models/get", name=model)["registered_model"]
        return {each["alias"]: int(each["version"]) for each in found.get("aliases", [])}

    def traces(self, experiment_id: str) -> Iterator[tuple[Trace, list[Span]]]:
        """A trace whose spans are in a file comes without: the file is copied as it is."""
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment_id}}
        token = ""
        while True:
            asked = {"locations": [place], "max_results": 200, **({"page_token": token} if token else {})}
            try:
                answer = self._json("POST", "/api/3.0/mlflow/traces/search", asked)
            except NotFound:  # a server from before there were traces
                return
            infos = answer.get("traces", [])
            inside = [each["trace_id"] for each in infos if each.get("tags", {}).get(SPANS_TAG) == IN_STORE]
            spans = self._spans(inside)
            for info in infos:
                yield trace_of(info), spans_of(info["trace_id"], spans.get(info["trace_id"], []))
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _spans(self, trace_ids: list[str]) -> dict[str, list[Json]]:
        out: dict[str, list[Json]] = {}
        for start in range(0, len(trace_ids), 50):
            part = {"trace_ids": trace_ids[start : start + 50]}
            for each in self._json("GET", "/api/3.0/mlflow/traces/batchGet", part).get("traces", []):
                out[each["trace_info"]["trace_id"]] = each.get("spans", [])
        return out

    def files(self, uri: str) -> list[tuple[str, int]]:
        parts = urlsplit(uri)
        if parts.scheme != _PROXIED:
            raise Unreachable(
                f"files at '{uri}' are not served by {self.name}",
                hint="start the server with --serve-artifacts, or import from its database on the machine that has the files",
            )
        return list(self._below(parts.path.strip("/"), ""))

    def read(self, uri: str, path: str) -> Iterator[bytes]:
        whole = "/".join(quote(part, safe="") for part in f"{urlsplit(uri).path.strip('/')}/{path}".split("/"))
        response = self._send("GET", f"{_ARTIFACTS}/{whole}", b"")
        while piece := response.read(_PIECE_BYTES):
            yield piece

    def _below(self, root: str, folder: str) -> Iterator[tuple[str, int]]:
        try:
            found = self._json("GET", _ARTIFACTS, {"path": f"{root}/{folder}".rstrip("/")}).get("files", [])
        except NotFound:
            return
        for each in found:
            path = f"{folder}/{each['path']}".lstrip("/")
            if each.get("is_dir"):
                yield from self._below(root, path)
            else:
                yield path, int(each.get("file_size", 0))

    def _is_prompt(self, model: str) -> bool:
        tags = _pairs(self._ask("GET", "registered-models/get", name=model)["registered_model"].get("tags"))
        return tags.get("mlflow.prompt.is_prompt", "").lower() == "true"

    def _version(self, model: str, each: Json) -> ModelVersion:
        source = each.get("source", "")
        return ModelVersion(
            model=model,
            version=int(each["version"]),
            run_id=each.get("run_id", ""),
            created=time_of(_int(each.get("creation_timestamp"))),
            updated=time_of(_int(each.get("last_updated_timestamp", each.get("creation_timestamp")))),
            location=source
            if not source or model_id_in(source)
            else self._download_uri(model, each["version"], source),
            digests={},
            signature={},
            lineage={"run_id": each.get("run_id", "")},
            description=each.get("description", ""),
            tags=_pairs(each.get("tags")),
            stage=each.get("current_stage", "None"),
            source=source,
            model_id=each.get("model_id", "") or model_id_in(source),
            run_link=each.get("run_link", ""),
            user=each.get("user_id", ""),
        )

    def _download_uri(self, model: str, version: str, source: str) -> str:
        try:
            found = self._ask("GET", "model-versions/get-download-uri", name=model, version=version)
        except NotFound:
            return source
        uri: str = found.get("artifact_uri", source)
        return uri

    def _pages(self, method: str, path: str, name: str, **fields: Any) -> Iterator[Json]:
        token = ""
        while True:
            answer = self._ask(method, path, **fields, **({"page_token": token} if token else {}))
            yield from answer.get(name, [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _ask(self, method: str, path: str, **fields: Any) -> Json:
        return self._json(method, f"/api/2.0/mlflow/{path}", fields)

    def _json(self, method: str, path: str, fields: Json) -> Json:
        target, body = path, b""
        if method == "GET":
            target += f"?{urlencode({key: value for key, value in fields.items() if value != ''}, doseq=True)}"
        else:
            body = json.dumps(fields).encode()
        raw = self._send(method, target, body).read()
        try:
            found = json.loads(raw or b"{}")
        except ValueError as error:
            raise Unreachable(f"{self.name} does not answer as an MLflow server does", hint=f"asked {path}") from error
        if not isinstance(found, dict):
            raise Unreachable(f"{self.name} does not answer as an MLflow server does", hint=f"asked {path}")
        return found

    def _send(self, method: str, target: str, body: bytes) -> http.client.HTTPResponse:
        headers = {**self._headers, **({"Content-Type": "application/json"} if body else {})}
        for left in reversed(range(_TRIES)):
            try:
                connection = self._connected()
                connection.request(method, f"{self._prefix}{target}", body=body or None, headers=headers)
                response = connection.getresponse()
            except (OSError, http.client.HTTPException, ssl.SSLError) as error:
                self.close()
                if not left:
                    raise Unreachable(f"{self.name} does not answer: {type(error).__name__}: {error}") from error
                continue
            if response.status < 300:
                return response
            told = response.read().decode("utf-8", "replace")
            if response.status >= 500 and left:
                continue
            raise _refusal(self.name, response.status, target, told)
        raise AssertionError

    def _connected(self) -> http.client.HTTPConnection:
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
            assert self._parts.hostname is not None
            self._connection = kind(self._parts.hostname, self._parts.port, timeout=_TIMEOUT_S)
        return self._connection


def _refusal(name: str, status: int, target: str, told: str) -> NotFound | Unreachable:
    try:
        code = json.loads(told).get("error_code", "")
    except (ValueError, AttributeError):
        code = ""
    path = target.partition("?")[0]
    if status == 404 or code in _NOT_THERE:
        return NotFound(f"{name} has nothing at {path}")
    hint = (
        "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
        if status in (401, 403)
        else None
    )
    return Unreachable(f"{name} answered {status} at {path}: {told[:300]}", hint=hint)


def _credentials() -> dict[str, str]:
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _run(each: Json) -> RunDetail:
    info, data, inputs, outputs = each["info"], each.get("data", {}), each.get("inputs", {}), each.get("outputs", {})
    tags = _pairs(data.get("tags"))
    run = Run(
        run_id=info["run_id"],
        experiment_id=info["experiment_id"],
        name=info.get("run_name") or tags.get("mlflow.runName", ""),
        status=RunStatus(info.get("status", "RUNNING")),
        started=time_of(_int(info.get("start_time"))),
        ended=time_or_none(_int(info.get("end_time"))),
        user=info.get("user_id", ""),
        artifacts=info.get("artifact_uri", ""),
        lifecycle_stage=info.get("lifecycle_stage", "active"),
        params=_pairs(data.get("params")),
        tags=tags,
    )
    return RunDetail(
        run=run,
        latest=tuple(_point(metric) for metric in data.get("metrics", [])),
        datasets=tuple(_dataset(one) for one in inputs.get("dataset_inputs", [])),
        model_inputs=tuple(one["model_id"] for one in inputs.get("model_inputs", [])),
        model_outputs=tuple((one["model_id"], _int(one.get("step")) or 0) for one in outputs.get("model_outputs", [])),
    )


def _dataset(each: Json) -> InputDataset:
    found = each["dataset"]
    return InputDataset(
        name=found["name"],
        digest=found["digest"],
        source_type=found.get("source_type", ""),
        source=found.get("source", ""),
        schema=found.get("schema"),
        profile=found.get("profile"),
        tags=_pairs(each.get("tags")),
    )


def _logged_model(each: Json) -> LoggedModel:
    info, data = each["info"], each.get("data", {})
    return LoggedModel(
        model_id=info["model_id"],
        experiment_id=info["experiment_id"],
        name=info.get("name", ""),
        created=time_of(_int(info.get("creation_timestamp_ms"))),
        updated=time_of(_int(info.get("last_updated_timestamp_ms"))),
        artifacts=info.get("artifact_uri", ""),
        status=_STATUS.get(info.get("status", ""), LoggedModelStatus.PENDING),
        status_message=info.get("status_message", ""),
        model_type=info.get("model_type", ""),
        source_run_id=info.get("source_run_id", ""),
        tags=_pairs(info.get("tags")),
        params=_pairs(data.get("params")),
        metrics=tuple(
            LoggedModelMetric(
                model_id=info["model_id"],
                run_id=metric.get("run_id", ""),
                key=metric["key"],
                value=_float(metric.get("value")),
                time=time_of(_int(metric.get("timestamp"))),
                step=_int(metric.get("step")) or 0,
                dataset_name=metric.get("dataset_name", ""),
                dataset_digest=metric.get("dataset_digest", ""),
            )
            for metric in data.get("metrics", [])
        ),
    )


def _point(metric: Json) -> Point:
    return Point(
        metric["key"], _float(metric.get("value")), _int(metric.get("timestamp")) or 0, _int(metric.get("step")) or 0
    )


def _pairs(found: list[Json] | None) -> dict[str, str]:
    return {each["key"]: each.get("value", "") for each in found or []}


def _int(value: object) -> int | None:
    return None if value is None else int(str(value))


def _float(value: object) -> float:
    return 0.0 if value is None else math.nan if value == "NaN" else float(str(value))
