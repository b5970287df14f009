"""Records as the client reads them: proto names, milliseconds, nothing where nothing is known."""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from homeostat.core.records.tracking import Experiment, InputDataset, Point, Run, RunDetail
from homeostat.track.artifacts import uri_of
from homeostat.track.client_runs import NAME_TAG
from homeostat.track.experiments import location_of
from homeostat.web.mlflow_api.call import Call, as_text, missing, wrong
from homeostat.web.mlflow_api.errors import invalid

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_VIEWS = {"ACTIVE_ONLY": ("active",), "DELETED_ONLY": ("deleted",), "ALL": ("active", "deleted")}
_NUMBERED = dict(enumerate([("active",), *_VIEWS.values()]))  # 0 is what nobody said
_STAGES: dict[Any, tuple[str, ...]] = _VIEWS | _NUMBERED | {str(number): stages for number, stages in _NUMBERED.items()}
_MOST_OFFSET = 2**53


def experiment(found: Experiment) -> Json:
    out: Json = {
        "experiment_id": found.experiment_id,
        "name": found.name,
        "artifact_location": location_of(found),
        "lifecycle_stage": found.lifecycle_stage,
        "last_update_time": to_ms(found.updated),
        "creation_time": to_ms(found.created),
    }
    if found.tags:
        out["tags"] = pairs(found.tags)
    return out


def run(found: RunDetail) -> Json:
    """Return the whole run. The loop's own runs look as any other: their name is a tag too."""
    head = found.run
    tags = head.tags if NAME_TAG in head.tags or not head.name else {**head.tags, NAME_TAG: head.name}
    data: Json = {}
    if found.latest:
        data["metrics"] = [metric(one) for one in found.latest]
    if head.params:
        data["params"] = pairs(head.params)
    if tags:
        data["tags"] = pairs(tags)
    inputs: Json = {}
    if found.datasets:
        inputs["dataset_inputs"] = [_dataset_input(one) for one in found.datasets]
    if found.model_inputs:
        inputs["model_inputs"] = [{"model_id": model} for model in found.model_inputs]
    out: Json = {"info": run_info(head), "data": data, "inputs": inputs}
    if found.model_outputs:
        out["outputs"] = {"model_outputs": [{"model_id": model, "step": step} for model, step in found.model_outputs]}
    return out


def run_info(found: Run) -> Json:
    out: Json = {
        "run_id": found.run_id,
        "run_uuid": found.run_id,
        "run_name": found.name,
        "experiment_id": found.experiment_id,
        "user_id": found.user,
        "status": found.status.value,
        "start_time": to_ms(found.started),
        "artifact_uri": uri_of(found.artifacts),
        "lifecycle_stage": found.lifecycle_stage,
    }
    if found.ended is not None:
        out["end_time"] = to_ms(found.ended)
    return out


def metric(point: Point) -> Json:
    key, value, time_ms, step = point
    return {"key": key, "value": value if math.isfinite(value) else number(value), "timestamp": time_ms, "step": step}


def number(value: float) -> float | str:
    """Return the number, or the text that stands for what JSON has no number for."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def pairs(found: Mapping[str, str]) -> list[Json]:
    return [{"key": key, "value": value} for key, value in found.items()]


def _dataset_input(found: InputDataset) -> Json:
    dataset: Json = {
        "name": found.name,
        "digest": found.digest,
        "source_type": found.source_type,
        "source": found.source,
    }
    if found.schema is not None:
        dataset["schema"] = found.schema
    if found.profile is not None:
        dataset["profile"] = found.profile
    return {"tags": pairs(found.tags), "dataset": dataset}


def to_ms(time: datetime) -> int:
    return (time - _EPOCH) // _MILLISECOND


def of_ms(value: int, name: str) -> datetime:
    """Return the time that a number of milliseconds since 1970 says; raise the 400 for one that no calendar has."""
    try:
        return _EPOCH + timedelta(milliseconds=value)
    except OverflowError:
        raise wrong(name, value) from None


def of_pairs(items: Iterable[Json], path: str) -> list[tuple[str, str]]:
    """Return the (key, value) that a list of objects says; an absent value is an empty text."""
    out = []
    for index, item in enumerate(items):
        key, value = item.get("key"), item.get("value")
        if key is None or key == "":
            raise missing(f"{path}[{index}].key")
        text = "" if value is None else as_text(value, f"{path}[{index}].value")
        out.append((as_text(key, f"{path}[{index}].key"), text))
    return out


def stages(call: Call, name: str) -> tuple[str, ...]:
    """Return the lifecycle stages that a view type means."""
    value = call.fields.get(name)
    value = value[0] if isinstance(value, list) and value else value
    try:
        return _STAGES[0 if value is None else value]
    except (KeyError, TypeError):
        raise wrong(name, value) from None


def page(call: Call, *, default: int | None, most: int) -> tuple[int, int]:
    """Return (limit, offset) of the page asked for; raise the 400 for a size below 1 or above `most`."""
    limit = call.integer_or_none("max_results")
    limit = default if limit is None else limit
    if limit is None or limit < 1:
        raise invalid(
            f"Invalid value for request parameter max_results. It must be at least 1, but got value {limit or 0}"
        )
    if limit > most:
        raise invalid(
            f"Invalid value for request parameter max_results. It must be at most {most}, but got value {limit}"
        )
    return limit, offset_of(call.text_or_none("page_token"))


def token_of(offset: int) -> str:
    """Return the token of the page that begins at an offset."""
    return base64.b64encode(json.dumps({"offset": offset}).encode()).decode()


def offset_of(token: str | None) -> int:
    """Return the offset that a page's token says, 0 for none; raise the 400 for one that this server did not make."""
    if not token:
        return 0
    try:
        offset = json.loads(base64.b64decode(token, validate=True))["offset"]
    except (binascii.Error, ValueError, TypeError, KeyError, RecursionError):
        raise invalid("Invalid page token, could not base64-decode") from None
    if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < _MOST_OFFSET:
        raise invalid(f"Invalid page token, parsed value={str(offset)[:100]}")
    return offset


def paged(name: str, found: list[Any], *, limit: int, offset: int) -> Json:
    """Return the page of which one more than `limit` was looked for, with the next one's token where there is more."""
    out: Json = {}
    if found:
        out[name] = found[:limit]
    if len(found) > limit:
        out["next_page_token"] = token_of(offset + limit)
    return out
