"""Registered models, versions, aliases, tags, gate reports."""

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

registered_models = Table(
    "registered_models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False, index=True),
    Column("description", Text, nullable=False),
)

registered_model_tags = Table(
    "registered_model_tags",
    metadata,
    Column("model", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "key"),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False, index=True),
    Column("stage", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("model_id", Text, nullable=False),
    Column("run_link", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("digests", JsonText, nullable=False),
    Column("signature", JsonText, nullable=False),
    Column("lineage", JsonText, nullable=False),
    Column("report_id", Text),
    Column("description", Text, nullable=False),
    Column("health", Text, nullable=False),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index(None, "key"),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("model", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("version", Integer, nullable=False),
)

gate_reports = Table(
    "gate_reports",
    metadata,
    Column("report_id", Text, primary_key=True),
    Column("model", Text, nullable=False, index=True),
    Column("run_id", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("body", JsonText, nullable=False),
)
