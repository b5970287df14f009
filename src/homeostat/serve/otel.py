"""Trails as OpenTelemetry spans, sent by OTLP/HTTP in a thread of their own (extra `otel`).

Where they go is what the operator's environment says (`OTEL_EXPORTER_OTLP_ENDPOINT` and its kin, OpenTelemetry's specification of environment
variables). What the thread cannot send in time is left out; no request ever waits for it.
"""

import logging
import os
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from homeostat.core.errors import MissingExtra
from homeostat.serve.tracing import Step, Trail
from homeostat.track.run_traces import ids_of

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

log = logging.getLogger(__name__)
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_DISABLED = "OTEL_SDK_DISABLED"
_NEEDED = ("opentelemetry.sdk.trace", "opentelemetry.exporter.otlp.proto.http")
_LAST_WORDS_S = 3.0
RunOf = Callable[[str, int], str | None]


class Processor(Protocol):
    """What takes spans that are over (a span processor of OpenTelemetry)."""

    def on_end(self, span: "ReadableSpan") -> None: ...
    def shutdown(self) -> None: ...


class OtelSpans:
    """Makes spans of trails. `run_of(model, version)` returns the training run of a version, without blocking; None where it is not known."""

    def __init__(self, processor: Processor, *, run_of: RunOf, instance: str) -> None:
        from importlib.metadata import version

        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope

        own = {"service.version": version("homeostat"), "service.instance.id": instance}
        if not os.environ.get("OTEL_SERVICE_NAME"):
            own["service.name"] = "homeostat"
        self._resource = Resource.create(own)
        self._scope = InstrumentationScope("homeostat.serve", own["service.version"])
        self._processor = processor
        self._run_of = run_of

    def tell(self, trail: Trail) -> None:
        """Hand the spans of a request to the thread that sends them."""
        to_epoch = time.time() - time.perf_counter()
        run_id = None if trail.version is None else self._run_of(trail.model, trail.version)
        attributes: dict[str, Any] = {
            "homeostat.model": trail.model,
            "homeostat.request_id": trail.request_id,
            "homeostat.rows": trail.rows,
            "homeostat.version": trail.version,
            "homeostat.route": trail.route,
            "homeostat.run_id": run_id,
            "error.type": trail.error,
        }
        for step in trail.steps:
            self._processor.on_end(self._step(trail, step, to_epoch))
        whole = self._span(
            f"predict {trail.model}",
            trail,
            span_id=trail.span_id,
            parent_id=trail.parent_id,
            times=(trail.start + to_epoch, trail.end + to_epoch),
            attributes=attributes,
            run_id=run_id,
        )
        self._processor.on_end(whole)

    def _step(self, trail: Trail, step: Step, to_epoch: float) -> "ReadableSpan":
        import secrets

        return self._span(
            step.name,
            trail,
            span_id=secrets.token_hex(8),
            parent_id=trail.span_id,
            times=(step.start + to_epoch, step.end + to_epoch),
            attributes={
                "homeostat.model": trail.model,
                "homeostat.version": step.version,
                "homeostat.run_id": None if step.version is None else self._run_of(trail.model, step.version),
                "error.type": step.error,
            },
        )

    def _span(
        self,
        name: str,
        trail: Trail,
        *,
        span_id: str,
        parent_id: str | None,
        times: tuple[float, float],
        attributes: dict[str, Any],
        run_id: str | None = None,
    ) -> "ReadableSpan":
        from opentelemetry.sdk.trace import ReadableSpan
        from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

        def context(trace: str, span: str, *, remote: bool) -> SpanContext:
            return SpanContext(int(trace, 16), int(span, 16), remote, TraceFlags(TraceFlags.SAMPLED))

        is_whole = span_id == trail.span_id
        error = attributes["error.type"]
        links = [] if run_id is None else [Link(context(*ids_of(run_id), remote=True), {"homeostat.run_id": run_id})]
        return ReadableSpan(
            name=name,
            context=context(trail.trace_id, span_id, remote=False),
            parent=None if parent_id is None else context(trail.trace_id, parent_id, remote=is_whole),
            resource=self._resource,
            attributes={key: value for key, value in attributes.items() if value is not None},
            links=links,
            kind=SpanKind.SERVER if is_whole else SpanKind.INTERNAL,
            status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
            start_time=int(times[0] * 1e9),
            end_time=int(times[1] * 1e9),
            instrumentation_scope=self._scope,
        )

    def close(self) -> None:
        """Send what is left, for a few seconds at most."""
        ending = threading.Thread(target=self._processor.shutdown, name="otel-end", daemon=True)
        ending.start()
        ending.join(_LAST_WORDS_S)


def open_spans(*, ratio: float, run_of: RunOf, instance: str) -> OtelSpans | None:
    """Return what sends spans, None where the environment names nowhere to send them, or says that nothing is to be.

    Without the extra, MissingExtra is raised where the project asks for traces (`ratio` above 0); an endpoint alone may be meant for others.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS) or os.environ.get(_DISABLED, "").lower() == "true":
        if ratio:
            log.warning("serve.traces has no effect: %s is not set", ENDPOINTS[-1])
        return None
    if not all(_is_there(name) for name in _NEEDED):
        if ratio:
            raise MissingExtra("serve.traces needs OpenTelemetry", extra="otel")
        log.warning("requests are not traced, though %s is set: pip install 'homeostat[otel]'", ENDPOINTS[-1])
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return OtelSpans(BatchSpanProcessor(OTLPSpanExporter()), run_of=run_of, instance=instance)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
