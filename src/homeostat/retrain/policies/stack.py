"""A stack of past champions that is renewed on signs of change within a budget, and weighed anew whenever labels come.

The parts are `retrain/stack.py`, `retrain/renewal.py` and `watch/change.py`, with the same settings for every project.

The loop renews its stack in `retrain/stacking.py`, by the same parts and signs. The two are not one, as they live under other conditions. There
a cycle makes one package, which a gate must be able to judge: a member is fitted without the newest rows, which teach its weight, half of
what is new tests the whole, and all that goes on to the next cycle is in the package, in times of rows. Here nobody judges: a member is fitted on every known row,
answers alone until newer labels come, and is weighed anew at each step without a cycle; what was said before is kept and not asked again. That
is what the policy is for: what renewing could bring at best, beside what the loop brings.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl

from homeostat.core.columns import Signature, Task
from homeostat.core.errors import HomeostatError
from homeostat.retrain.policies.policy import Chosen, Look, Policy
from homeostat.retrain.policy import Decision
from homeostat.retrain.project import Project
from homeostat.retrain.renewal import State, Terms, renew
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.simulated_world import Version
from homeostat.retrain.stack import Floats
from homeostat.retrain.stacked import Member, StackedModel, aligned, weighed
from homeostat.retrain.stacking import COMPARED, MEMBERS, TAUGHT_BY, comparable, losses_of, values_of
from homeostat.train.frames import target as truth_of
from homeostat.watch.change import Array, Change, strongest

WORDS = "past champions weighed by new labels, renewed on signs of change within a budget, without a gate"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Batch:
    """Labelled rows that came since the last training, and what the members said of them, by version."""

    rows: pl.DataFrame
    y: Array
    said: dict[int, Floats] = field(default_factory=dict)


@dataclass(kw_only=True, eq=False)
class Stacking:
    """The policy at work. `members`: versions, oldest first; `first_trained`: the first known row that the newest was trained on."""

    task: Task
    target: str
    terms: Terms = field(default_factory=Terms)
    members: list[Version] = field(default_factory=list)
    state: State = field(default_factory=lambda: State(trained_rows=0))
    window: int = 0
    seen: int = 0
    first_trained: int = 0
    asked_for: int | None = None
    batches: list[_Batch] = field(default_factory=list)
    losses: list[Array] = field(default_factory=list)

    def decide(self, look: Look) -> Decision:
        if not self.members:
            return look.first()
        known = look.known.filter(pl.col(self.target).is_not_null())
        fresh, self.seen = known.slice(self.seen), known.height
        if not fresh.height:
            return Decision(kind="nothing", because="no new labels")
        batch = _Batch(rows=fresh, y=truth_of(fresh[self.target], self.task))
        try:
            self.losses.append(self._losses(batch))
        except HomeostatError as error:
            return Decision(kind="nothing", because=f"the newest member does not answer: {error.message}")
        self.batches.append(batch)
        self.state, decision = renew(self.state, self.terms, self._change(known), rows=known.height, window=self.window)
        if not decision.rows:
            return Decision(kind="nothing", because=decision.because)
        self.asked_for = decision.rows
        return look.retrain("change", decision.because, rows=decision.rows)

    def serving(self, look: Look) -> Version | None:
        if not look.versions:
            return None
        newest = look.versions[-1]
        if not self.members or newest.number != self.members[-1].number:
            self._welcome(newest, look)
        taught = self.batches[-TAUGHT_BY:]
        if len(self.members) < 2 or not taught or not self._can_be_weighed(taught[-1]):
            return newest
        return replace(newest, model=self._weighed(newest, taught))

    def _welcome(self, newest: Version, look: Look) -> None:
        known = look.known.filter(pl.col(self.target).is_not_null()).height
        if not self.members:
            self.window, self.state = newest.rows, State(trained_rows=known)
        self.members = [*self.members, newest][-MEMBERS:]
        self.first_trained = max(0, known - (self.asked_for or newest.rows))
        self.seen, self.batches, self.losses = known, [], []

    def _weighed(self, newest: Version, taught: list[_Batch]) -> StackedModel:
        answers = np.concatenate([self._answers(batch, newest.signature) for batch in taught], axis=1)
        y = np.concatenate([batch.y for batch in taught])
        members = tuple(Member(one.model, one.signature) for one in self.members)
        found = weighed(members, newest.signature, answers, y)
        if self.task is not Task.REGRESSION:
            return found
        return replace(found, least=float(min(y.min(), answers.min())), most=float(max(y.max(), answers.max())))

    def _answers(self, batch: _Batch, signature: Signature) -> Floats:
        return np.stack([self._said(one, batch, signature) for one in self.members])

    def _said(self, one: Version, batch: _Batch, signature: Signature) -> Floats:
        if one.number not in batch.said:
            batch.said[one.number] = aligned(one.answer(batch.rows), signature)
        return batch.said[one.number]

    def _can_be_weighed(self, batch: _Batch) -> bool:
        """Return whether the members give what can be weighed: numbers or probabilities."""
        return bool(self.task is Task.REGRESSION or batch.said)

    def _losses(self, batch: _Batch) -> Array:
        newest = self.members[-1]
        said = newest.answer(batch.rows)
        if self.task is Task.REGRESSION or said.scores is not None:
            batch.said[newest.number] = aligned(said, newest.signature)
        return losses_of(said, batch.y, self.task)

    def _change(self, known: pl.DataFrame) -> Change:
        rows = known.slice(max(self.first_trained, known.height - COMPARED * self.window))
        losses = np.concatenate(self.losses)[-rows.height :]
        batch = max(1, round(len(losses) / len(self.losses)))
        columns = comparable(rows, self.members[-1].signature)
        return strongest(columns, values_of(rows[self.target]), losses, batch=batch)


def made(settings: RetrainSettings, number: int | None, project: Project) -> Chosen:
    del settings, number
    rule = Stacking(task=project.task, target=project.data.target)
    return Chosen(rule=rule, settings=RetrainSettings(), description=WORDS, gate="none", work=0.2)


POLICY = Policy(name="stack", words=WORDS, make=made)
