"""The tables. Migrations in `migrations/` bring older databases here; a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from homeostat.storage.sql.types import JsonText, UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

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
