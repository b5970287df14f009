"""Models, versions and logged models as the client reads them."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import LoggedModel, LoggedModelMetric, LoggedModelStatus
from homeostat.track.artifacts import uri_of

Json = dict[str, Any]

STATUS_WORDS = {
    LoggedModelStatus.PENDING: "LOGGED_MODEL_PENDING",
    LoggedModelStatus.READY: "LOGGED_MODEL_READY",
    LoggedModelStatus.FAILED: "LOGGED_MODEL_UPLOAD_FAILED",
}


def millis(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def pairs(tags: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def version_json(version: ModelVersion, aliases: Sequence[str] = ()) -> Json:
    """Return a version. One that the loop made comes from its run's package."""
    found: Json = {
        "name": version.model,
        "version": str(version.version),
        "creation_timestamp": millis(version.created),
        "last_updated_timestamp": millis(version.updated or version.created),
        "current_stage": version.stage,
        "description": version.description,
        "source": version.source or uri_of(version.location),
        "run_id": version.run_id,
        "run_link": version.run_link,
        "status": "READY",
    }
    if version.user:
        found["user_id"] = version.user
    if version.model_id:
        found["model_id"] = version.model_id
    if version.tags:
        found["tags"] = pairs(version.tags)
    if aliases:
        found["aliases"] = list(aliases)
    return found


def version_with_aliases(tx: Transaction, version: ModelVersion) -> Json:
    known = tx.models.aliases(version.model)
    return version_json(version, [alias for alias, number in known.items() if number == version.version])


def versions_with_aliases(tx: Transaction, versions: Sequence[ModelVersion]) -> list[Json]:
    known = tx.models.aliases_of(list(dict.fromkeys(version.model for version in versions)))
    return [
        version_json(version, [alias for alias, number in known[version.model].items() if number == version.version])
        for version in versions
    ]


def model_json(tx: Transaction, model: RegisteredModel) -> Json:
    return models_json(tx, [model])[0]


def models_json(tx: Transaction, models: Sequence[RegisteredModel]) -> list[Json]:
    """Return the models, each with its newest version in each stage and its aliases; the number of queries does not grow with them."""
    names = [model.name for model in models]
    aliases = tx.models.aliases_of(names)
    newest: dict[str, list[Json]] = {name: [] for name in names}
    for version in tx.models.latest(names):
        newest[version.model].append(version_json(version))
    return [_model(model, newest[model.name], aliases[model.name]) for model in models]


def _model(model: RegisteredModel, newest: list[Json], aliases: Mapping[str, int]) -> Json:
    found: Json = {
        "name": model.name,
        "creation_timestamp": millis(model.created),
        "last_updated_timestamp": millis(model.updated),
    }
    if model.description:
        found["description"] = model.description
    if newest:
        found["latest_versions"] = newest
    if model.tags:
        found["tags"] = pairs(model.tags)
    if aliases:
        found["aliases"] = [{"alias": alias, "version": str(number)} for alias, number in aliases.items()]
    return found


def logged_model_json(model: LoggedModel) -> Json:
    info: Json = {
        "model_id": model.model_id,
        "experiment_id": model.experiment_id,
        "name": model.name,
        "creation_timestamp_ms": millis(model.created),
        "last_updated_timestamp_ms": millis(model.updated),
        "artifact_uri": uri_of(model.artifacts),
        "status": STATUS_WORDS[model.status],
        "model_type": model.model_type,
        "source_run_id": model.source_run_id,
        "tags": pairs(model.tags),
    }
    if model.status_message:
        info["status_message"] = model.status_message
    return {
        "info": info,
        "data": {"params": pairs(model.params), "metrics": [_metric(metric) for metric in model.metrics]},
    }


def _metric(metric: LoggedModelMetric) -> Json:
    found: Json = {
        "key": metric.key,
        "value": number_json(metric.value),
        "timestamp": millis(metric.time),
        "step": metric.step,
        "model_id": metric.model_id,
        "run_id": metric.run_id,
    }
    if metric.dataset_name:
        found["dataset_name"] = metric.dataset_name
    if metric.dataset_digest:
        found["dataset_digest"] = metric.dataset_digest
    return found


def number_json(value: float) -> float | str:
    """Return a number as JSON can hold it.

    >>> number_json(1.5), number_json(float("nan")), number_json(float("-inf"))
    (1.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
