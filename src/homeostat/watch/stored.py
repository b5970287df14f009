"""A verdict as it is kept: a revision of its window, written with its events in one transaction."""

from datetime import datetime
from typing import Any

import msgspec
import polars as pl

from homeostat.audit.log import record
from homeostat.core.ids import derived_id
from homeostat.core.ports.store import Transaction
from homeostat.core.records.watching import WindowVerdict
from homeostat.core.values import Json
from homeostat.watch.answered import answered
from homeostat.watch.events import summary, told
from homeostat.watch.reference import Reference
from homeostat.watch.verdict import Verdict
from homeostat.watch.watched import answers
from homeostat.watch.windows import Window


def verdict_of(stored: WindowVerdict) -> Verdict:
    """Return the verdict that a stored window holds."""
    return msgspec.convert(stored.body["verdict"], Verdict)


def as_record(
    model: str,
    window: Window,
    verdict: Verdict,
    *,
    previous: WindowVerdict | None,
    rows: pl.DataFrame,
    share: float,
    reference: Reference,
    now: datetime,
) -> WindowVerdict:
    """Return the verdict as the next revision of its window, with what its rows are known by when they are judged again."""
    kept = answered(answers(rows, reference)[0], rows["label"], task=reference.task)
    until = rows["label_received"].max()
    body: Json = {
        "version": reference.version,
        "rows": rows.height,
        "labelled": int(rows["label"].is_not_null().sum()),
        "grouped": rows["groups"].count(),
        "share": share,
        "labels_until": until.isoformat() if isinstance(until, datetime) else None,
        "answers": msgspec.json.decode(msgspec.json.encode(kept)),
        "verdict": msgspec.to_builtins(verdict),
    }
    return WindowVerdict(
        model=model,
        window_start=window.start,
        window_end=window.end,
        revision=0 if previous is None else previous.revision + 1,
        computed=now,
        state=verdict.state,
        body=body,
    )


def write(
    tx: Transaction, stored: WindowVerdict, verdict: Verdict, *, previous: WindowVerdict | None, actor: str
) -> bool:
    """Write a verdict and its events; return False where another process has written this revision already."""
    if tx.audit.by_key(_key(stored, "window.judged")) is not None:
        return False
    tx.watch.add(stored)
    before = None if previous is None else verdict_of(previous)
    for kind in ["window.judged", *told(verdict, before)]:
        record(
            tx,
            kind,
            subject=f"model:{stored.model}",
            actor=actor,
            time=stored.computed,
            payload=_payload(kind, stored, verdict),
            key=_key(stored, kind),
        )
    return True


def _key(stored: WindowVerdict, kind: str) -> str:
    span = (stored.window_start.isoformat(), stored.window_end.isoformat())
    return derived_id("watch", stored.model, *span, stored.revision, kind)


def _payload(kind: str, stored: WindowVerdict, verdict: Verdict) -> dict[str, Any]:
    """Return what the audit log tells of a window: where, what (the event's own cause), and the few numbers that matter."""
    performance, decay, quality = verdict.performance, verdict.decay, verdict.quality
    return {
        "window": {"start": stored.window_start.isoformat(), "end": stored.window_end.isoformat()},
        "revision": stored.revision,
        "version": stored.body["version"],
        "state": verdict.state,
        "summary": summary(kind, verdict),
        "labels_come": verdict.labels_come,
        "rows": stored.body["rows"],
        "labelled": stored.body["labelled"],
        "metric": None if performance is None else performance.metric,
        "value": None if performance is None else performance.value,
        "effect": None if decay is None else decay.effect,
        "invalid_share": None if quality is None else quality.invalid_share,
        "causes": [{"kind": cause.kind, "state": cause.state, "columns": cause.columns} for cause in verdict.causes],
    }
