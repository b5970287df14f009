"""The trainer of `retrain.policy: stack`: past champions are kept and weighed anew by new labels; a new member is fitted on signs of change.

A cycle of that policy trains with this instead of the project's function, which it calls for new members only. What comes out is one model
(retrain/stacked.py) in one package, which the gate, the registry and serving treat like any other. It carries the state of the renewal
with it, so that the next cycle goes on where the champion of that day stands.

Rows are cut by time: rows up to `trained_until` were seen by some member; only later ones teach the weights. A member that is fitted does
not see the newest rows, so that they can teach its weight. `policies/stack.py` is the same without a gate and without cycles, and says why it
stands by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from msgspec import structs

from homeostat.core.columns import Kind, Signature, Task
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.core.values import Json
from homeostat.retrain.renewal import State, Terms, renew
from homeostat.retrain.stacked import Member, StackedModel, answers_of, weighed
from homeostat.track.metric import class_indices
from homeostat.track.predictions import Predictions
from homeostat.train.answers import ask
from homeostat.train.frames import target as truth_of
from homeostat.train.frames import to_pandas
from homeostat.train.hooks import TrainingData, load_hook
from homeostat.train.package import read_package
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json
from homeostat.watch.change import Array, Change, strongest

TRAINER = "homeostat.retrain.stacking:train"
GIVEN = "_stack"  # the key of train.params under which the trainer is told what it goes on from
FITTED = "stack_fitted"
MEMBERS = 12
TAUGHT_BY = 5  # batches that teach the weights
COMPARED = 8  # training windows that the change test looks at, at most
LEAST_NEW_ROWS = 40
_TESTED = 0.5  # of the new rows
_LEAST_PROBABILITY = 0.05  # one confident mistake is not to outweigh a batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """Where the renewal of a stack stands: `rows` counts all labelled rows so far, `window` those of the first member's training.

    `trained_from` and `trained_until` are the times of the oldest and the newest row that the newest member learned from,
    `seen_until` that of the newest row of all.
    """

    state: State
    rows: int
    window: int
    trained_from: datetime | None
    trained_until: datetime
    seen_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Before:
    """The champion that a cycle goes on from. `seen_until`: the time of the newest labelled row that there was when it was trained."""

    model: Any
    signature: Signature
    seen_until: datetime
    trained_rows: int

    @property
    def members(self) -> tuple[Member, ...]:
        return self.model.members if isinstance(self.model, StackedModel) else (Member(self.model, self.signature),)

    @property
    def renewal(self) -> Renewal:
        found = getattr(self.model, "renewal", None)
        if isinstance(self.model, StackedModel) and isinstance(found, Renewal):
            return found
        return Renewal(
            state=State(trained_rows=self.trained_rows),
            rows=self.trained_rows,
            window=self.trained_rows,
            trained_from=None,
            trained_until=self.seen_until,
            seen_until=self.seen_until,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Renewed:
    """The new stack. `fitted`: why a member was fitted, None where the weights alone are new."""

    model: StackedModel
    fitted: str | None
    because: str


def widened(settings: TrainSettings, *, rows: int) -> TrainSettings:
    """Return the settings with eight times the rows that an ordinary training takes: what the change test compares; a fit takes fewer."""
    return structs.replace(settings, window=None, max_rows=COMPARED * rows)


def settings_of_cycle(settings: TrainSettings, *, new: int, total: int, given: Json) -> TrainSettings:
    """Return the settings of a cycle that renews a stack: half of the new rows are its test, as no member knows them.

    `given`: what `train` is told. Raises NotEnoughData where the new rows are too few to learn and to test from.
    """
    if new < LEAST_NEW_ROWS:
        raise NotEnoughData(
            f"{new} new labelled rows since the champion was trained, {LEAST_NEW_ROWS} are the least to renew its stack from",
            hint="wait for labels, or raise retrain.triggers.new_rows",
        )
    told = {**given, "function": settings.function}
    return structs.replace(
        settings, function=TRAINER, params={**settings.params, GIVEN: told}, test_share=min(0.5, _TESTED * new / total)
    )


def train(data: TrainingData) -> StackedModel:
    """Return the stack, in the process of a training job: the champion's package is read and the project's own function is called from here."""
    told = dict(data.params[GIVEN])
    package = read_package(Path(told["package"]), signature=from_json(told["signature"]))
    own = {name: value for name, value in data.params.items() if name != GIVEN}
    before = Before(
        model=package.model,
        signature=package.signature,
        seen_until=datetime.fromisoformat(told["seen_until"]),
        trained_rows=told["trained_rows"],
    )

    def fit(rows: pl.DataFrame) -> Any:
        hook = load_hook(told["function"], Path.cwd()) if told["function"] else _default()
        return hook(TrainingData(frame=rows, signature=data.signature, seed=data.seed, params=own, is_ordered=True))

    found = renewed(before, data.frame, time=told["time"], signature=data.signature, fit=fit, spent=told["spent"])
    data.log_param("stack_members", len(found.model.members))
    data.log_param(FITTED, found.fitted is not None)
    data.log_param("stack_because", found.because)
    return found.model


def renewed(
    before: Before,
    rows: pl.DataFrame,
    *,
    time: str,
    signature: Signature,
    fit: Callable[[pl.DataFrame], Any],
    spent: float = 0.0,
    terms: Terms | None = None,
) -> Renewed:
    """Return the champion's stack with new weights and, on a sign of change within the budget, a new member.

    `rows`: labelled, oldest first, those that the champion learned from included as far as they are kept. `fit` makes a member of rows.
    `spent`: members that were fitted since and that no champion holds, less the budget of the cycles since. Raises NotEnoughData where no row is new.
    """
    terms, was = terms or Terms(), before.renewal
    fresh = rows.filter(pl.col(time) > was.seen_until)
    unseen = rows.filter(pl.col(time) > was.trained_until)
    if fresh.is_empty():
        raise NotEnoughData(f"no labelled row is newer than {was.seen_until}", hint="wait for labels")
    members = _usable(before.members, signature)
    count = was.rows + fresh.height
    state = replace(was.state, tokens=was.state.tokens - spent)
    change = _change(rows, unseen, members[-1], was, time=time, signature=signature, batch=fresh.height)
    state, decision = renew(state, terms, change, rows=count, window=was.window)
    now = replace(was, state=state, rows=count, seen_until=_newest(rows[time]))
    if decision.rows:
        learned, unseen = _parted(rows.tail(decision.rows), fresh.height)
        members = (*members, Member(fit(learned), signature))[-MEMBERS:]
        now = replace(now, trained_from=_newest(learned[time].head(1)), trained_until=_newest(learned[time]))
    taught = unseen.tail(TAUGHT_BY * fresh.height)
    y = truth_of(taught[signature.target], signature.task)
    answers = answers_of(members, to_pandas(taught, signature.columns), signature)
    stack = replace(weighed(members, signature, answers, y), renewal=now)
    if signature.task is Task.REGRESSION:
        whole = truth_of(rows[signature.target], signature.task)
        stack = replace(stack, least=float(whole.min()), most=float(whole.max()))
    return Renewed(model=stack, fitted=decision.because if decision.rows else None, because=decision.because)


def _newest(times: pl.Series) -> datetime:
    found = times.max()
    assert isinstance(found, datetime)
    return found


def _parted(rows: pl.DataFrame, fresh: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that the new member learns from, and the newest ones, which teach its weight."""
    held_back = max(1, min(fresh // 2, rows.height // 4))
    return rows.head(rows.height - held_back), rows.tail(held_back)


def _usable(members: Sequence[Member], signature: Signature) -> tuple[Member, ...]:
    """Return the members that the present columns suffice for; raise InvalidInput where they do for none."""
    there = {column.name: column.kind for column in signature.columns}
    found = tuple(
        one for one in members if all(there.get(column.name) == column.kind for column in one.signature.columns)
    )
    if not found:
        raise InvalidInput(
            "the columns have changed: no member of the stack takes the present ones",
            hint="train once without the stack: `homeostat train`",
        )
    return found


def _change(
    rows: pl.DataFrame,
    unseen: pl.DataFrame,
    newest: Member,
    was: Renewal,
    *,
    time: str,
    signature: Signature,
    batch: int,
) -> Change:
    """Look for a change since the newest member was trained."""
    said = ask(newest.model, to_pandas(unseen, newest.signature.columns), newest.signature)
    losses = losses_of(said, truth_of(unseen[signature.target], signature.task), signature.task)
    since = rows if was.trained_from is None else rows.filter(pl.col(time) >= was.trained_from)
    since = since.tail(max(len(losses) + 1, COMPARED * was.window))
    columns = comparable(since, signature)
    return strongest(columns, values_of(since[signature.target]), losses[-since.height :], batch=batch)


def losses_of(said: Predictions, y: Array, task: Task) -> Array:
    """Return the loss of each answer: absolute error, log loss, or wrong labels where there are no probabilities."""
    if task is Task.REGRESSION:
        return np.asarray(np.abs(y - said.labels))
    if said.scores is None:
        return np.asarray(y != said.labels, dtype=np.float64)
    at = class_indices(y, said.classes)
    given = np.where(at < 0, 0.0, said.scores[np.arange(len(at)), at])
    return np.asarray(-np.log(np.clip(given, _LEAST_PROBABILITY, 1.0)))


def comparable(rows: pl.DataFrame, signature: Signature) -> dict[str, Array]:
    """Return the features that a change test can look at: text is not compared, and times always move on."""
    kinds = {column.name: column.kind for column in signature.columns}
    return {name: values_of(rows[name]) for name, kind in kinds.items() if kind not in (Kind.TEXT, Kind.DATETIME)}


def values_of(column: pl.Series) -> Array:
    """Return floats with null as NaN, or codes with null as one of their own."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64).to_numpy()
    return column.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64)


def _default() -> Callable[[TrainingData], Any]:
    from homeostat.train.default import train as default

    return default
