"""A finished training run as a trace: what serves can link to it, and whoever follows the link sees what the model learned from.

Its ids follow from the run's, so that serving needs nobody to ask.
"""

import json
import re
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from homeostat.core.ids import derived_id
from homeostat.core.ports.store import Transaction
from homeostat.core.records.tracking import Run
from homeostat.core.traces import NAME_TAG, PLACE_TAG, RUN_KEY, SIZE_KEY, SPANS_TAG, Trace, TraceState
from homeostat.core.values import Json
from homeostat.track.traces import IN_STORE, place_of, span_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HEX = re.compile(r"[0-9a-f]{32}")
_NONE = "0" * 32
_FACTS = ("dataset", "dataset_version", "split", "refit_of")


def ids_of(run_id: str) -> tuple[str, str]:
    """Return the W3C trace id and span id of a run, in hexadecimal digits.

    >>> ids_of("0af7651916cd43dd8448eb211c80319c")[0]
    '0af7651916cd43dd8448eb211c80319c'
    """
    digest = derived_id("trace of run", run_id)
    return run_id if _HEX.fullmatch(run_id) and run_id != _NONE else digest, digest[:16]


def trace_run(tx: Transaction, run: Run) -> None:
    """Store the trace of a run that has finished, over the one that it had before."""
    assert run.ended is not None
    trace_hex, span_hex = ids_of(run.run_id)
    trace_id, name = f"tr-{trace_hex}", f"train {run.name}"
    told = {"homeostat.run_id": run.run_id, "mlflow.traceRequestId": trace_id, "mlflow.spanType": "UNKNOWN"}
    told |= {f"homeostat.{key}": run.facts[key] for key in _FACTS if run.facts.get(key) is not None}
    content: Json = {
        "trace_id": b64encode(bytes.fromhex(trace_hex)).decode(),
        "span_id": b64encode(bytes.fromhex(span_hex)).decode(),
        "parent_span_id": "",
        "name": name,
        "start_time_unix_nano": _nanoseconds(run.started),
        "end_time_unix_nano": _nanoseconds(run.ended),
        "attributes": [{"key": key, "value": _value(value)} for key, value in told.items()],
        "status": {"code": 1, "message": ""},
    }
    tx.traces.put(
        Trace(
            trace_id=trace_id,
            experiment_id=run.experiment_id,
            state=TraceState.OK,
            started=run.started,
            duration_ms=(run.ended - run.started) // timedelta(milliseconds=1),
            is_final=True,
            tags={NAME_TAG: name, SPANS_TAG: IN_STORE, PLACE_TAG: place_of(run.experiment_id, trace_id)},
            metadata={RUN_KEY: run.run_id, SIZE_KEY: json.dumps({"num_spans": 1})},
        )
    )
    tx.traces.put_spans([span_of(trace_id, content)])


def _value(value: Any) -> Json:
    """Return an attribute in OpenTelemetry's JSON form."""
    if isinstance(value, int) and not isinstance(value, bool):
        return {"int_value": value}
    return {"string_value": value if isinstance(value, str) else json.dumps(value)}


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000
