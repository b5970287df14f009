"""The audit log."""

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

audit_events = Table(
    "audit_events",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("time", UtcTime, nullable=False),
    Column("actor", Text, nullable=False),
    Column("kind", Text, nullable=False, index=True),
    Column("subject", Text, nullable=False, index=True),
    Column("payload", JsonText, nullable=False),
    Column("key", Text, unique=True),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
