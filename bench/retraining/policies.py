"""Policies of retraining, and their replay over a stream. What several need (a fit on the same rows, its answers) is made once and charged to each."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from retraining.streams import Stream

from homeostat.retrain import stack as stacked
from homeostat.retrain.renewal import State, Terms, renew
from homeostat.watch.adwin import Adwin
from homeostat.watch.change import Change, strongest

MEMBERS = 12
TAUGHT_BY = 5  # batches that teach the stack's weights
COMPARED = 8  # windows of rows that the change test looks at, at most
Rows = tuple[int, int]  # [first, end)


@dataclass
class Run:
    """What a policy did on a stream. CPU seconds: of its fits, of asking its models, of tests and weights."""

    right: float = 0.0
    rows: int = 0
    retrainings: int = 0
    fits: int = 0
    fit_s: float = 0.0
    ask_s: float = 0.0
    other_s: float = 0.0
    signs: list[str] = field(default_factory=list)

    @property
    def score(self) -> float:
        """Accuracy; of a regression the mean absolute error."""
        return self.right / self.rows


class Models:
    """Models of a stream, by the rows that they were fitted on, and their answers; both with the CPU seconds that they took."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._fits: dict[Rows, tuple[Callable[[np.ndarray], np.ndarray], float]] = {}
        self._answers: dict[tuple[Rows, Rows], tuple[np.ndarray, float]] = {}

    def fit_s(self, trained: Rows) -> float:
        """Fit a model on the rows, and return what that took."""
        if trained not in self._fits:
            began = time.process_time()
            model = self._fitted(*trained)
            self._fits[trained] = model, time.process_time() - began
        return self._fits[trained][1]

    def answers(self, trained: Rows, asked: Rows) -> tuple[np.ndarray, float]:
        """Return probabilities (rows, classes), or numbers (rows, 1), and what asking took."""
        if (trained, asked) not in self._answers:
            began = time.process_time()
            said = self._fits[trained][0](self.stream.x[slice(*asked)])
            self._answers[trained, asked] = said, time.process_time() - began
        return self._answers[trained, asked]

    def _fitted(self, first: int, end: int) -> Callable[[np.ndarray], np.ndarray]:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        x, y, classes = self.stream.x[first:end], self.stream.y[first:end], self.stream.classes
        if self.stream.is_regression:
            model: Any = HistGradientBoostingRegressor(max_iter=100, early_stopping=False, random_state=0).fit(x, y)
            return lambda rows: np.asarray(model.predict(rows))[:, None]
        if len(np.unique(y)) == 1:
            only = np.eye(classes)[y[0]]
            return lambda rows: np.tile(only, (len(rows), 1))
        model = HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0).fit(x, y)

        def answers(rows: np.ndarray) -> np.ndarray:
            spread = np.zeros((len(rows), classes))
            spread[:, model.classes_] = model.predict_proba(rows)
            return spread

        return answers


class Policy:
    """Never retrains. Answers rows, and learns from the labels of a batch."""

    def __init__(self, models: Models) -> None:
        self.models, self.stream, self.run = models, models.stream, Run()
        self.member: Rows = (0, self.stream.window)
        self._asked: set[tuple[Rows, Rows]] = set()
        models.fit_s(self.member)  # the first fit is everybody's

    def answer(self, batch: Rows) -> np.ndarray:
        return self.said(self.member, batch)

    def said(self, trained: Rows, batch: Rows) -> np.ndarray:
        """Return a model's answers; asking for them a second time costs nothing, as they are known by then."""
        answers, took = self.models.answers(trained, batch)
        if (trained, batch) not in self._asked:
            self._asked.add((trained, batch))
            self.run.ask_s += took
        return answers

    def learn(self, batch: Rows) -> None:
        """Take the labels."""

    def retrain(self, first: int, end: int) -> None:
        self.member = max(0, first), end
        self.run.fit_s += self.models.fit_s(self.member)
        self.run.fits += 1
        self.run.retrainings += 1


def every(batches: int, *, windows: float = 1.0) -> type[Policy]:
    class Every(Policy):
        seen = 0

        def learn(self, batch: Rows) -> None:
            self.seen += 1
            if self.seen % batches == 0:
                self.retrain(batch[1] - int(windows * self.stream.window), batch[1])

    return Every


class OnAdwin(Policy):
    def __init__(self, models: Models) -> None:
        super().__init__(models)
        self.adwin, self.scale = Adwin(), 1.0
        if self.stream.is_regression:
            self.scale = float(np.ptp(self.stream.y[: self.stream.window]))

    def learn(self, batch: Rows) -> None:
        truth, said = self.stream.y[slice(*batch)], self.answer(batch)
        began = time.process_time()
        errors = np.abs(truth - said[:, 0]) / self.scale if self.stream.is_regression else said.argmax(axis=1) != truth
        has_risen = [self.adwin.add(float(error)) for error in errors]
        self.run.other_s += time.process_time() - began
        if any(has_risen):
            self.retrain(batch[1] - self.stream.window, batch[1])


class Stacked(Policy):
    """Ours."""

    def __init__(self, models: Models) -> None:
        super().__init__(models)
        self.members = [self.member]
        self.terms = Terms()
        self.state = State(trained_rows=self.stream.window)
        self.weights = stacked.newest_alone(1, width=self.stream.classes)
        self.known: list[Rows] = []  # batches whose labels came since the last training
        self.losses = np.empty(0)  # of the newest member on them

    def answer(self, batch: Rows) -> np.ndarray:
        answers = self._answers(batch)
        if self.stream.is_regression:
            return np.maximum(stacked.numbers(self.weights, answers[:, :, 0]), 0.0)[:, None]
        return stacked.probabilities(self.weights, answers)

    def _answers(self, batch: Rows) -> np.ndarray:
        return np.stack([self.said(member, batch) for member in self.members])

    def learn(self, batch: Rows) -> None:
        end = batch[1]
        newest = self.said(self.members[-1], batch)
        began = time.process_time()
        self.known.append(batch)
        self.losses = np.concatenate([self.losses, self._losses(newest, self.stream.y[slice(*batch)])])
        change = self._change(end)
        self.state, decision = renew(self.state, self.terms, change, rows=end, window=self.stream.window)
        self.run.other_s += time.process_time() - began
        if decision.rows:
            self.run.signs.append(decision.because)
            self.retrain(end - decision.rows, end)
            self.members = [*self.members, self.member][-MEMBERS:]
            self.known, self.losses = [], np.empty(0)
        self._weigh()

    def _losses(self, said: np.ndarray, truth: np.ndarray) -> np.ndarray:
        if self.stream.is_regression:
            return np.asarray(np.abs(truth - said[:, 0]))
        return np.asarray(-np.log(np.clip(said[np.arange(len(truth)), truth], 0.05, 1.0)))

    def _change(self, end: int) -> Change:
        s = self.stream
        start = max(self.member[0], end - COMPARED * s.window)
        columns = {str(at): s.x[start:end, at] for at in range(s.x.shape[1])}
        return strongest(columns, s.y[start:end], self.losses[-COMPARED * s.window :], batch=s.batch)

    def _weigh(self) -> None:
        taught = self.known[-TAUGHT_BY:]
        if not taught:
            self.weights = stacked.newest_alone(len(self.members), width=self.stream.classes)
            return
        parts = [self._answers(batch) for batch in taught]
        began = time.process_time()
        answers = np.concatenate(parts, axis=1)
        truth = np.concatenate([self.stream.y[slice(*batch)] for batch in taught])
        if self.stream.is_regression:
            self.weights = stacked.of_numbers(answers[:, :, 0], truth)
        else:
            self.weights = stacked.of_probabilities(answers, truth)
        self.run.other_s += time.process_time() - began


POLICIES: dict[str, type[Policy]] = {
    "static": Policy,
    "always": every(1),
    "always, 2 windows": every(1, windows=2.0),
    "always, all rows": every(1, windows=1e6),
    "every 5th": every(5),
    "ADWIN": OnAdwin,
    "stack": Stacked,
}


def replay(models: Models, policy: type[Policy], *, delay: int = 0) -> Run:
    """Ask the policy batch by batch; the labels of each come `delay` batches after the next."""
    asked, stream = policy(models), models.stream
    for at, batch in enumerate(stream.batches):
        said, truth = asked.answer(batch), stream.y[slice(*batch)]
        good = np.abs(truth - said[:, 0]) if stream.is_regression else said.argmax(axis=1) == truth
        asked.run.right += float(good.sum())
        asked.run.rows += len(truth)
        if at >= delay:
            asked.learn(stream.batches[at - delay])
    return asked.run
