"""Data versions, contracts, quarantine."""

from sqlalchemy import BigInteger, Column, Integer, Table, Text, UniqueConstraint

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

datasets = Table(
    "datasets",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("contract", JsonText),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("table_version", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("added", BigInteger, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("schema", JsonText, nullable=False),
    Column("profile", JsonText, nullable=False),
    Column("key", Text),
    UniqueConstraint("dataset", "key"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("dataset", Text, nullable=False, index=True),
    Column("created", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("location", Text, nullable=False),
    Column("report", JsonText, nullable=False),
    Column("state", Text, nullable=False),
    Column("resolved_by", Text),
    Column("resolved", UtcTime),
    Column("reason", Text),
)
