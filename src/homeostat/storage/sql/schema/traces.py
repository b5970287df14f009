"""Traces, their spans, tags, facts, links and assessments."""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, String, Table, Text

from homeostat.storage.sql.schema.base import metadata
from homeostat.storage.sql.types import JsonText, UtcTime

traces = Table(
    "traces",
    metadata,
    Column("trace_id", String(64), primary_key=True),
    Column("experiment_id", ForeignKey("experiments.experiment_id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("duration_ms", BigInteger),
    Column("client_request_id", Text),
    Column("request_preview", Text),
    Column("response_preview", Text),
    Column("is_final", Boolean, nullable=False),
    Index(None, "experiment_id", "started"),
)

trace_tags = Table(
    "trace_tags",
    metadata,
    Column("trace_id", ForeignKey("traces.trace_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

trace_metadata = Table(
    "trace_metadata",
    metadata,
    Column("trace_id", ForeignKey("traces.trace_id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

trace_links = Table(
    "trace_links",
    metadata,
    Column("trace_id", ForeignKey("traces.trace_id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Index(None, "kind", "target"),
)

spans = Table(
    "spans",
    metadata,
    Column("trace_id", ForeignKey("traces.trace_id"), primary_key=True),
    Column("span_id", String(16), primary_key=True),
    Column("parent_id", String(16)),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("content", Text, nullable=False),
)

assessments = Table(
    "assessments",
    metadata,
    Column("assessment_id", String(64), primary_key=True),
    Column("trace_id", ForeignKey("traces.trace_id"), nullable=False, index=True),
    Column("name", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False),
    Column("value", JsonText),
    Column("numeric", Float),
    Column("error", JsonText),
    Column("rationale", Text),
    Column("span_id", String(64)),
    Column("metadata", JsonText, nullable=False),
    Column("overrides", String(64)),
    Column("valid", Boolean, nullable=False),
)
