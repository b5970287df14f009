"""Experiments, runs, params, metrics, tags, and what went into runs and came out.

A metric of a run is a row of `metric_series`, which holds its newest point: searches and lists look nowhere else. All points are in
`metric_points`, clustered by their primary key in the order that a history is read in, and told apart by all that they are: a point
that comes again is the same row.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Computed,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

_Id = BigInteger().with_variant(Integer, "sqlite")
HEAD_CHARACTERS = 64


_Ordered = Text().with_variant(
    Text(collation="C"), "postgresql"
)  # by characters, as SQLite: the order of heads is that of values


def _valued() -> tuple[Column[int], Column[str], Column[str]]:
    """Values may be long, and an index entry may not: the beginning of a value is what is indexed, for each experiment."""
    return (
        Column("experiment_id", Integer, nullable=False),
        Column("value", _Ordered, nullable=False),
        Column("head", _Ordered, Computed(f"substr(value, 1, {HEAD_CHARACTERS})", persisted=True)),
    )


def _clustered(name: str, *columns: Any) -> Table:
    return Table(name, metadata, *columns, sqlite_with_rowid=False)


experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False),
    sqlite_autoincrement=True,
)

experiment_tags = _clustered(
    "experiment_tags",
    Column("experiment_id", ForeignKey("experiments.experiment_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

runs = _clustered(
    "runs",
    Column("run_id", String(32), primary_key=True),
    Column("experiment_id", ForeignKey("experiments.experiment_id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started", UtcTime, nullable=False, index=True),
    Column("ended", UtcTime),
    Column("user", Text, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False),
    Column("deleted", UtcTime),
    Column("facts", JsonText, nullable=False),
)
Index("ix_runs_newest", runs.c.experiment_id, runs.c.lifecycle_stage, runs.c.started.desc(), runs.c.run_id)

run_params = _clustered(
    "run_params",
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    *_valued(),
    Index("ix_run_params_value", "experiment_id", "key", "head"),
)

run_tags = _clustered(
    "run_tags",
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    *_valued(),
    Index("ix_run_tags_value", "experiment_id", "key", "head"),
)

metric_series = _clustered(
    "metric_series",
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("series_id", _Id, nullable=False, unique=True),
    Column("experiment_id", Integer, nullable=False),
    Column("value", Float, nullable=False),
    Column("is_nan", SmallInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("step", BigInteger, nullable=False),
    Index("ix_metric_series_value", "experiment_id", "key", "is_nan", "value"),
)

metric_points = _clustered(
    "metric_points",
    Column("series_id", _Id, primary_key=True, autoincrement=False),
    Column("time", BigInteger, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("value", Float, primary_key=True),
    Column("is_nan", SmallInteger, primary_key=True),
)

input_datasets = Table(
    "input_datasets",
    metadata,
    Column("dataset_id", String(32), primary_key=True),
    Column("experiment_id", Integer, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", Text),
    Column("profile", Text),
)

run_inputs = _clustered(
    "run_inputs",
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("dataset_id", ForeignKey("input_datasets.dataset_id"), primary_key=True, index=True),
    Column("tags", JsonText, nullable=False),
    Column("context", Text),
)

run_models = _clustered(
    "run_models",
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("direction", Text, primary_key=True),
    Column("model_id", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True, server_default=text("0")),
)
