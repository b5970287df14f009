"""Models, versions, aliases, gate reports."""

from sqlalchemy import Boolean, Column, Integer, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

model_versions = Table(
    "model_versions",
    metadata,
    Column("model", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("run_id", Text, nullable=False, index=True),
    Column("created", UtcTime, nullable=False),
    Column("location", Text, nullable=False),
    Column("digests", JsonText, nullable=False),
    Column("signature", JsonText, nullable=False),
    Column("lineage", JsonText, nullable=False),
    Column("report_id", Text),
    Column("description", Text, nullable=False),
    Column("tags", JsonText, nullable=False),
    Column("health", Text, nullable=False),
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
