"""Window verdicts and small states."""

from sqlalchemy import Column, Integer, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

window_verdicts = Table(
    "window_verdicts",
    metadata,
    Column("model", Text, primary_key=True),
    Column("window_start", UtcTime, primary_key=True),
    Column("window_end", UtcTime, primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("computed", UtcTime, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", JsonText, nullable=False),
)

states = Table(
    "states",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", JsonText, nullable=False),
)
