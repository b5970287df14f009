"""Turns of the loop."""

from sqlalchemy import Column, Integer, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

cycles = Table(
    "cycles",
    metadata,
    Column("cycle_id", Text, primary_key=True),
    Column("model", Text, nullable=False, index=True),
    Column("trigger", Text, nullable=False),
    Column("because", Text, nullable=False),
    Column("started", UtcTime, nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("ended", UtcTime),
    Column("run_id", Text),
    Column("version", Integer),
    Column("options", JsonText, nullable=False),
    Column("outcome", JsonText, nullable=False),
)
