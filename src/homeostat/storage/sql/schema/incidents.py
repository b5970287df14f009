"""Incidents: windows that alarmed, as stories."""

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

incidents = Table(
    "incidents",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("model", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("opened", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("resolved", UtcTime),
    Column("windows", Integer, nullable=False),
    Column("severity", Float, nullable=False),
    Column("told_severity", Float, nullable=False),
    Column("because", Text, nullable=False),
    Column("columns", JsonText, nullable=False),
    Index(None, "model", "opened"),
)
