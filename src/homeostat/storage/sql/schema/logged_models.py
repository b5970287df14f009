"""Logged models with their tags, params and metrics."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import UtcTime

logged_models = Table(
    "logged_models",
    metadata,
    Column("model_id", String(34), primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("artifacts", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("status_message", Text, nullable=False),
    Column("model_type", Text, nullable=False),
    Column("source_run_id", Text, nullable=False, index=True),
    Column("lifecycle_stage", Text, nullable=False),
    Index(None, "experiment_id", "created"),
)

logged_model_tags = Table(
    "logged_model_tags",
    metadata,
    Column("model_id", ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_params = Table(
    "logged_model_params",
    metadata,
    Column("model_id", ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

logged_model_metrics = Table(
    "logged_model_metrics",
    metadata,
    Column("model_id", ForeignKey("logged_models.model_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("time", UtcTime, primary_key=True),
    Column("step", BigInteger, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("value", Float),  # NULL: not a number
    Column("dataset_name", Text, nullable=False),
    Column("dataset_digest", Text, nullable=False),
    Index(None, "key", "value"),
)
