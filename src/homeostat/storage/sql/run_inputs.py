"""What runs say that went in and came out, in SQL: data sets and logged models."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from homeostat.core.ids import derived_id
from homeostat.core.records.tracking import InputDataset
from homeostat.storage.sql.prepared import PreparedIn
from homeostat.storage.sql.rows import insert_missing
from homeostat.storage.sql.schema.tracking import input_datasets, run_inputs, run_models

CONTEXT = "mlflow.data.context"

_DATASETS = PreparedIn(
    lambda ids: (
        select(
            run_inputs.c.run_id,
            run_inputs.c.tags,
            input_datasets.c.name,
            input_datasets.c.digest,
            input_datasets.c.source_type,
            input_datasets.c.source,
            input_datasets.c.schema,
            input_datasets.c.profile,
        )
        .join(input_datasets, input_datasets.c.dataset_id == run_inputs.c.dataset_id)
        .where(run_inputs.c.run_id.in_(ids))
        .order_by(run_inputs.c.run_id, input_datasets.c.name, input_datasets.c.digest)
    )
)
_MODELS = PreparedIn(
    lambda ids: (
        select(run_models.c.run_id, run_models.c.direction, run_models.c.model_id, run_models.c.step)
        .where(run_models.c.run_id.in_(ids))
        .order_by(run_models.c.run_id, run_models.c.step, run_models.c.model_id)
    )
)


def log_datasets(connection: Connection, run_id: str, experiment_id: int, datasets: Sequence[InputDataset]) -> None:
    """Add data sets to the experiment and say that the run used them; what was said before stands."""
    for one in datasets:
        dataset_id = derived_id("dataset", experiment_id, one.name, one.digest)
        insert_missing(
            connection,
            input_datasets,
            {
                "dataset_id": dataset_id,
                "experiment_id": experiment_id,
                "name": one.name,
                "digest": one.digest,
                "source_type": one.source_type,
                "source": one.source,
                "schema": one.schema,
                "profile": one.profile,
            },
        )
        used = {"run_id": run_id, "dataset_id": dataset_id, "tags": one.tags, "context": one.tags.get(CONTEXT)}
        insert_missing(connection, run_inputs, used)


def datasets(connection: Connection, run_ids: Sequence[str]) -> dict[str, list[InputDataset]]:
    """Return the data sets that each run used, by name."""
    out: dict[str, list[InputDataset]] = {}
    for run_id, tags, name, digest, source_type, source, schema, profile in _DATASETS.rows(connection, run_ids):
        found = InputDataset(
            name=name,
            digest=digest,
            source_type=source_type,
            source=source,
            schema=schema,
            profile=profile,
            tags=json.loads(tags),
        )
        out.setdefault(run_id, []).append(found)
    return out


def log_models(
    connection: Connection, run_id: str, *, inputs: Sequence[str], outputs: Sequence[tuple[str, int]]
) -> None:
    """Say which logged models went in and came out."""
    rows = [
        *({"run_id": run_id, "direction": "input", "model_id": model, "step": 0} for model in inputs),
        *({"run_id": run_id, "direction": "output", "model_id": model, "step": step} for model, step in outputs),
    ]
    if rows:
        insert_missing(connection, run_models, *rows)


def models(connection: Connection, run_ids: Sequence[str]) -> dict[tuple[str, str], list[tuple[str, int]]]:
    """Return (model id, step) of the models by run and direction, `input` or `output`."""
    out: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for run_id, direction, model_id, step in _MODELS.rows(connection, run_ids):
        out.setdefault((run_id, direction), []).append((model_id, step))
    return out


def used_in(
    connection: Connection, experiment_ids: Sequence[int], *, limit: int
) -> list[tuple[str, str, str, str | None]]:
    """Return (experiment id, name, digest, context) of data sets that runs of the experiments used."""
    columns = (input_datasets.c.experiment_id, input_datasets.c.name, input_datasets.c.digest, run_inputs.c.context)
    query = (
        select(*columns)
        .distinct()
        .join(run_inputs, run_inputs.c.dataset_id == input_datasets.c.dataset_id)
        .where(input_datasets.c.experiment_id.in_(experiment_ids))
        .order_by(*columns)
        .limit(limit)
    )
    return [(str(row[0]), row[1], row[2], row[3]) for row in connection.execute(query)]
