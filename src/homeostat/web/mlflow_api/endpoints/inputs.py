"""What went into runs and came out: data sets and logged models."""

from typing import Any

from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import InputDataset
from homeostat.track import client_runs, limits
from homeostat.web.mlflow_api import wire
from homeostat.web.mlflow_api.call import Call, as_integer, as_text, missing, wrong
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint, Write
from homeostat.web.mlflow_api.errors import invalid

Json = dict[str, Any]
_MODEL = {"model_id": "m-" + "0" * 32}
_DATASET = {
    "dataset": {"name": "rows", "digest": "0123abcd", "source_type": "local", "source": "rows.csv"},
    "tags": [{"key": "mlflow.data.context", "value": "training"}],
}


def log_inputs(call: Call, _desk: Desk) -> Write:
    run_id = call.text("run_id")
    limits.check_run_id(run_id)
    datasets = [_dataset_input(item, index) for index, item in enumerate(call.items("datasets"))]
    models = [model for model, _ in _models(call)]
    limits.check_datasets(datasets)

    def work(tx: Transaction) -> Json:
        client_runs.log_inputs(tx, run_id, datasets, models)
        return {}

    return Write(work)


def log_outputs(call: Call, _desk: Desk) -> Write:
    run_id, models = call.text("run_id"), _models(call)
    limits.check_run_id(run_id)
    if not call.has("models"):
        raise missing("models")

    def work(tx: Transaction) -> Json:
        client_runs.log_outputs(tx, run_id, models)
        return {}

    return Write(work)


def _models(call: Call) -> list[tuple[str, int]]:
    items = call.items("models")
    if len(items) > limits.MOST_MODELS:
        raise invalid(f"At most {limits.MOST_MODELS} models can be logged at once. Got {len(items)} models.")
    out = []
    for index, item in enumerate(items):
        if not item.get("model_id"):
            raise missing(f"models[{index}].model_id")
        model_id = as_text(item["model_id"], f"models[{index}].model_id")
        limits.check_length("model_id", model_id, limits.MOST_KEY)
        out.append((model_id, as_integer(item.get("step") or 0, f"models[{index}].step")))
    return out


def _dataset_input(item: Json, index: int) -> InputDataset:
    path = f"datasets[{index}]"
    said = item.get("dataset")
    if said is None:
        raise invalid("Dataset input must have a dataset associated with it.")
    if not isinstance(said, dict):
        raise wrong(f"{path}.dataset", said)
    tags = item.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, dict) for tag in tags):
        raise wrong(f"{path}.tags", tags)
    needed = {}
    for name in ("name", "digest", "source_type", "source"):
        value = said.get(name)
        if value is None:
            raise invalid(f"Dataset {name} cannot be None")
        needed[name] = as_text(value, f"{path}.dataset.{name}")
    schema, profile = (
        None if said.get(name) is None else as_text(said[name], f"{path}.dataset.{name}")
        for name in ("schema", "profile")
    )
    return InputDataset(**needed, schema=schema, profile=profile, tags=dict(wire.of_pairs(tags, f"{path}.tags")))


ENDPOINTS = (
    Endpoint("POST", "runs/log-inputs", log_inputs, examples={"datasets": [_DATASET], "models": [_MODEL]}),
    Endpoint("POST", "runs/outputs", log_outputs, examples={"models": [{**_MODEL, "step": 1}]}),
)
