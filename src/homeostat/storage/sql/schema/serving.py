"""Routes and the workers that follow them."""

from sqlalchemy import Column, Float, Integer, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

routes = Table(
    "routes",
    metadata,
    Column("model", Text, primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("champion", Integer),
    Column("shadow", Integer),
    Column("canary", Integer),
    Column("canary_percent", Float, nullable=False),
    Column("since", UtcTime),
    Column("segments", JsonText),
    Column("split", JsonText),
)

workers = Table(
    "workers",
    metadata,
    Column("worker_id", Text, primary_key=True),
    Column("pid", Integer, nullable=False),
    Column("host", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("heartbeat", UtcTime, nullable=False, index=True),
    Column("generations", JsonText, nullable=False),
)
