from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from tests.retrain.worlds import moving_world, project

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.retrain.backtest import prepare
from homeostat.retrain.replay_watch import ReplayWatch, truth
from homeostat.retrain.simulated_time import SimulatedClock
from homeostat.retrain.simulated_world import Version
from homeostat.track.predictions import Predictions
from homeostat.train.signature import signature_of
from homeostat.watch.events import DECAYED
from homeostat.watch.reference import build_reference

DAY = timedelta(days=1)
CHANGED = 7  # the first step after the world has turned over, on day 30


def said(rows: pl.DataFrame) -> Predictions:
    """What whoever knew the old world says."""
    p = np.where(rows["x"].to_numpy() >= 2, 0.85, 0.15)
    return Predictions(labels=(p > 0.5).astype(int), scores=np.stack([1 - p, p], axis=1), classes=(0, 1))


class Lived:
    """A watch over steps of two days that one version has answered."""

    def __init__(self, *, label_delay="0s", number=1):
        self.given = project(label_delay=label_delay)
        self.line, kinds = prepare(moving_world(), project=self.given, history=16 * DAY)
        history = self.line.frame.head(self.line.steps[0].first)
        signature = signature_of(
            history.select("at", "x", "noise", "y"), roles=self.given.data.roles, kinds=kinds, task=Task.BINARY
        )
        reference = build_reference(
            history,
            history["y"].to_numpy(),
            said(history),
            kinds={column.name: column.kind for column in signature.columns},
            task=Task.BINARY,
            version=number,
        )
        self.version = Version(
            number=number,
            model=None,
            tested=None,
            signature=signature,
            reference=reference,
            trained_at=self.line.begin,
            rows=history.height,
            root=None,
        )
        self.clock = SimulatedClock(self.line.begin)
        self.watch = ReplayWatch(line=self.line, project=self.given, clock=self.clock)

    def through(self, *indexes):
        for index in indexes:
            step = self.line.steps[index]
            rows = self.line.rows(step)
            self.watch.open(step, rows, self.version, said(rows))
            self.clock.advance(step.end)
            self.watch.close(step)
        return self


def test_a_window_is_judged_when_it_closes_and_once_more_when_its_labels_are_enough():
    lived = Lived(label_delay="3d").through(0)
    window = lived.watch.windows[0]
    assert (window.verdict.is_mature, window.judged_at) == (False, lived.line.steps[0].end)
    lived.through(1)  # half of its labels are known by now
    assert (window.verdict.is_mature, window.judged_at) == (False, lived.line.steps[0].end)
    lived.through(2)
    assert (window.verdict.is_mature, window.judged_at) == (True, lived.line.steps[2].end)
    lived.through(3)
    assert window.judged_at == lived.line.steps[2].end


def test_rows_are_let_go_when_nothing_is_to_be_judged_of_them_any_more():
    lived = Lived(label_delay="3d").through(0, 1, 2)
    assert [one.features.height for one in lived.watch.windows.values()] == [0, 100, 100]


def test_a_change_is_told_once_by_the_window_it_is_seen_in():
    lived = Lived().through(*range(CHANGED + 1))
    (event,) = lived.watch.events
    step = lived.line.steps[CHANGED]
    assert (event.kind, event.subject, event.time) == (DECAYED, "model:moving", step.end)
    assert event.payload["window"] == {"start": step.start.isoformat(), "end": step.end.isoformat()}
    assert event.payload["version"] == 1
    assert "log_loss went from" in event.payload["summary"]
    lived.watch.close(step)
    assert lived.watch.events == [event]


def test_a_change_is_told_when_its_labels_come_not_when_it_happened():
    lived = Lived(label_delay="3d").through(*range(CHANGED + 3))
    decayed = [event for event in lived.watch.events if event.kind == DECAYED]
    steps = lived.line.steps
    assert [(event.time, event.payload["window"]["start"]) for event in decayed] == [
        (steps[CHANGED + 2].end, steps[CHANGED].start.isoformat())
    ]


def test_labels_come_while_one_became_known_in_the_last_thirty_days():
    lived = Lived(label_delay="20d")
    assert not lived.watch.labels_come()
    lived.clock.advance(lived.line.begin + 5 * DAY)
    assert lived.watch.labels_come()
    lived.clock.advance(lived.line.steps[-1].end + 20 * DAY + 29 * DAY)
    assert lived.watch.labels_come()
    lived.clock.advance(lived.clock.now() + 2 * DAY)
    assert not lived.watch.labels_come()


def test_what_is_usual_is_learned_from_windows_of_the_same_version():
    lived = Lived().through(0, 1, 2)
    lived.version = Lived(number=2).version
    lived.through(3, 4)
    watch = lived.watch
    assert [len(watch._effects(watch.windows[index])) for index in (0, 2, 3, 4)] == [0, 2, 0, 1]
    past = watch._past(watch.windows[4])
    (x,) = past.columns["x"].values()
    assert len(x) == 1


def test_the_truth_of_a_step_may_lack_some_labels_but_not_all():
    rows = pl.DataFrame({"y": [None, 1, None, 0, None]})
    assert truth(rows, project()).tolist() == [1, 1, 0, 0, 0]
    with pytest.raises(InvalidInput, match="no label of 'y' is known in a whole step"):
        truth(rows.with_columns(y=pl.lit(None, pl.Int64)), project())
