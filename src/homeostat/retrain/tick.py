"""One look of the loop at itself: watch what is new, then decide whether to ask for a cycle."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import polars as pl

from homeostat.core.columns import Signature
from homeostat.core.ports.record_log import RecordLog
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.records.cycles import Cycle
from homeostat.registry.routing import promote
from homeostat.registry.versions import CHALLENGER, CHAMPION
from homeostat.retrain.policy import Decision, decide
from homeostat.retrain.project import Project
from homeostat.retrain.requests import ask, loop_time
from homeostat.retrain.triggers import Champion, Situation, firings
from homeostat.retrain.triggers.situation import LABELS_LATELY
from homeostat.train.signature import from_json
from homeostat.watch.drawing import drawn
from homeostat.watch.events import KINDS
from homeostat.watch.join import join
from homeostat.watch.watched import LIGHT


def decide_and_ask(
    *, store: Store, records: RecordLog, project: Project, now: datetime, loop_now: datetime, actor: str = "homeostat"
) -> tuple[Decision, Cycle | None]:
    """Return the decision and, where it is to retrain, the cycle asked for (the one of before when this tick is a retry).

    Before a first model is trained, one that a person has trained and that passed the gate is made champion instead. A label counts where it
    is that of an answered row; whether it is costs a look at all answers, and is found out where the decision rests on it.
    """
    with store.read() as tx:
        recent = tx.cycles.recent(project.model, limit=20)
        situation = _situation(tx, recent, project=project, loop_now=loop_now)
        running = tx.cycles.running(project.model)
        champion = situation.champion and tx.models.get(project.model, situation.champion.version)
    trained = next((cycle.started for cycle in recent if cycle.run_id is not None), None)
    since = None if trained is None else min(trained, now - LABELS_LATELY)
    labels = records.read("labels", project.model, since=since, columns=["received", "value"])
    told = labels.filter(pl.col("value").is_not_null())["received"]  # the others tell groups alone

    def decided(received: pl.Series, share: float = 1.0) -> Decision:
        """Return the decision where labelled rows, or a share of them, have labels of these times of receipt."""
        known = _labelled(situation, received, share=share, trained=trained, now=now)
        return decide(
            firings(known, project.retrain.triggers), situation=known, running=running, policy=project.retrain
        )

    decision, without = decided(told), decided(told.clear())
    if champion and decision.firing != without.firing and "retrain" in (decision.kind, without.kind):
        decision = decided(
            *_received(records, project.model, from_json(champion.signature), most=project.watch.max_rows)
        )
    if decision.kind != "retrain" or decision.firing is None:
        return decision, None
    ready = None if situation.cycles or project.retrain.approval else _ready(store, project.model)
    if ready is not None:
        promote(store=store, model=project.model, version=ready, actor=actor, now=now)
        because = f"version {ready} had passed the gate and there was no champion: now it is"
        return Decision(kind="nothing", because=because), None
    cycle = ask(
        store=store,
        model=project.model,
        cycle_id=decision.firing.cycle_id(project.model),
        trigger=decision.firing.trigger,
        because=decision.because,
        actor=actor,
        now=now,
        loop_time=loop_now,
    )
    return decision, cycle


def waiting(store: Store, model: str) -> list[Cycle]:
    """Return the cycles that were asked for and are not over: a process that starts anew must take each of them up."""
    with store.read() as tx:
        running = tx.cycles.running(model)
    return [] if running is None else [running]


def _ready(store: Store, model: str) -> int | None:
    """Return the challenger of a model that never had a champion, where it passed the gate."""
    with store.read() as tx:
        number = tx.models.alias(model, CHALLENGER)
        if number is None or tx.models.alias(model, CHAMPION) is not None:
            return None
        report_id = tx.models.get(model, number).report_id
        return number if report_id is not None and tx.models.report(report_id).passed else None


def _received(records: RecordLog, model: str, signature: Signature, *, most: int) -> tuple[pl.Series, float]:
    """Return when the label of each labelled row was received, the newest where there are several, and of which share of rows."""
    read = drawn(records, model, since=None, most=most, columns=LIGHT)
    told = read.labels.filter(pl.col("value").is_not_null())
    found = join(read.predictions, told, task=signature.task, classes=signature.classes)
    return found.frame["label_received"].drop_nulls(), read.share


def _labelled(
    situation: Situation, received: pl.Series, *, share: float, trained: datetime | None, now: datetime
) -> Situation:
    newest = received.max()
    fresh = received if trained is None else received.filter(received > trained)
    return replace(
        situation,
        labels_come=isinstance(newest, datetime) and now - newest <= LABELS_LATELY,
        labelled_rows_since_training=round(len(fresh) / share),
    )


def _situation(tx: Transaction, recent: Sequence[Cycle], *, project: Project, loop_now: datetime) -> Situation:
    """Return the situation but for what labels tell."""
    number = tx.models.alias(project.model, CHAMPION)
    champion = None
    if number is not None:
        version = tx.models.get(project.model, number)
        champion = Champion(
            version=number, trained_at=version.created, rows=int(version.lineage.get("trained_rows", 0))
        )
    # the last cycle's request bounds what counts as new, by its place in the log: clocks may jump
    asked = tx.audit.by_key(f"{recent[0].cycle_id}:requested") if recent else None
    events = tx.audit.events(after=asked.seq if asked else 0, kinds=KINDS, subject=f"model:{project.model}")
    return Situation(
        model=project.model,
        now=loop_now,
        champion=champion,
        events=tuple(events),
        cycles=tuple(replace(cycle, started=loop_time(cycle)) for cycle in recent),
        last_schedule_check=champion.trained_at if champion else None,
    )
