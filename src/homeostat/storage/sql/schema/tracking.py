"""Experiments, runs, params and metrics."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", Integer, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("created", UtcTime, nullable=False),
    Column("lifecycle_stage", Text, nullable=False, default="active"),
)

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(32), primary_key=True),
    Column("experiment_id", ForeignKey("experiments.experiment_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("started", UtcTime, nullable=False, index=True),
    Column("ended", UtcTime),
    Column("user", Text, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False),
    Column("tags", JsonText, nullable=False),
    Column("facts", JsonText, nullable=False),
)

run_params = Table(
    "run_params",
    metadata,
    Column("run_id", ForeignKey("runs.run_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

run_metrics = Table(
    "run_metrics",
    metadata,
    Column("metric_id", Integer, primary_key=True, autoincrement=True),
    Column("run_id", ForeignKey("runs.run_id"), nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Float, nullable=True),
    Column("special", Text),
    Column("time", UtcTime, nullable=False),
    Column("step", BigInteger, nullable=False),
    Index(None, "run_id", "key"),
)
