"""The watch of a replay: each answered step is a window, judged when it closes and again when its labels have become enough."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.core.records.events import Event
from homeostat.retrain.backtest_score import is_labelled
from homeostat.retrain.project import Project
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.retrain.simulated_world import Version
from homeostat.retrain.timeline import Step, Timeline
from homeostat.retrain.triggers.situation import LABELS_LATELY
from homeostat.track.predictions import Predictions
from homeostat.train.frames import target
from homeostat.watch.events import summary, told
from homeostat.watch.observe import observe
from homeostat.watch.verdict import Past, Verdict, effects_of


@dataclass(slots=True, kw_only=True, eq=False)
class Window:
    """A window that was answered, and what the watch has said of it so far."""

    step: Step
    version: Version
    features: pl.DataFrame
    predictions: Predictions
    y: npt.NDArray[Any]
    verdict: Verdict | None = None
    judged_at: datetime | None = None


@dataclass(kw_only=True, eq=False)
class ReplayWatch:
    """What the watch of one policy's replay has seen: the windows by step, and the events that it recorded."""

    line: Timeline
    project: Project
    clock: SimulatedClock
    windows: dict[int, Window] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)

    def open(self, step: Step, rows: pl.DataFrame, version: Version, predictions: Predictions) -> None:
        """Take in the rows of a step that a version has answered."""
        self.windows[step.index] = Window(
            step=step,
            version=version,
            features=rows.select(version.signature.names),
            predictions=predictions,
            y=truth(rows, self.project),
        )

    def close(self, step: Step) -> None:
        """Judge the window that has just closed, and those again whose labels have become enough."""
        for index in sorted(self.windows):
            window = self.windows[index]
            if window.verdict is not None and window.verdict.is_mature:
                continue
            labelled = self._labelled(window)
            settings = self.project.watch
            enough = labelled.sum() >= max(settings.min_labels, settings.maturity * window.step.rows)
            if window.verdict is None or enough:
                self._judge(window, labelled)
        self._forget(step)

    def _judge(self, window: Window, labelled: npt.NDArray[np.bool_]) -> None:
        before = window.verdict
        verdict = observe(
            window.features,
            reference=window.version.reference,
            predictions=window.predictions,
            y=window.y,
            labelled=labelled,
            settings=self.project.watch,
            labels_come=self.labels_come(),
            history=self._effects(window),
            past=self._past(window),
        )
        window.verdict, window.judged_at = verdict, self.clock.now()
        for kind in told(verdict, before):
            self._emit(kind, window, verdict)

    def _labelled(self, window: Window) -> npt.NDArray[np.bool_]:
        known = self.line.known_in(window.step, self.clock.now())
        return known & is_labelled(self.line.rows(window.step)[self.project.data.target])

    def labels_come(self) -> bool:
        """Return whether a label became known lately, of whatever row."""
        now = self.clock.now()
        return self.line.newly_known(now - LABELS_LATELY, now) > 0

    def _effects(self, window: Window) -> list[float]:
        earlier = (self.windows[index] for index in sorted(self.windows) if index < window.step.index)
        decays = (
            one.verdict.decay
            for one in earlier
            if one.version.number == window.version.number and one.verdict is not None
        )
        return [decay.effect for decay in decays if decay is not None and decay.effect is not None]

    def _past(self, window: Window) -> Past:
        """Return what each drift method found in the earlier windows of the version."""
        windows = (self.windows[index] for index in sorted(self.windows) if index < window.step.index)
        earlier = [one.verdict for one in windows if one.version.number == window.version.number and one.verdict]
        return Past(
            columns=effects_of(one.columns for one in earlier),
            predictions=effects_of(one.predictions for one in earlier),
        )

    def _forget(self, step: Step) -> None:
        """Drop the rows of windows that are judged for good."""
        for index, window in self.windows.items():
            if index <= step.index and window.verdict is not None and window.verdict.is_mature:
                window.features = window.features.clear()

    def _emit(self, kind: str, window: Window, verdict: Verdict) -> None:
        seq = len(self.events) + 1
        self.events.append(
            Event(
                seq=seq,
                time=self.clock.now(),
                actor="watch",
                kind=kind,
                subject=f"model:{self.project.model}",
                payload={
                    "window": {"start": window.step.start.isoformat(), "end": window.step.end.isoformat()},
                    "version": window.version.number,
                    "summary": summary(kind, verdict),
                },
                key=f"{kind}:{window.step.index}:{seq}",
                previous="",
                digest="",
            )
        )


def truth(rows: pl.DataFrame, project: Project) -> npt.NDArray[Any]:
    """Return the true values; where a label is null, some value that nobody looks at."""
    series = rows[project.data.target]
    if project.task is not Task.REGRESSION and series.null_count():
        series = series.fill_null(strategy="backward").fill_null(strategy="forward")
        if series.null_count():
            raise InvalidInput(f"no label of '{series.name}' is known in a whole step", hint="take a longer step")
    return target(series, project.task)
