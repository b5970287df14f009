"""What the detectors said about the labelled rows of a window, and their state between windows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.core.values import Json
from homeostat.track.losses import LOSSES, loss_per_row
from homeostat.track.predictions import Predictions
from homeostat.watch.detector import kept
from homeostat.watch.detectors import detector


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """`row`: the first labelled row of the window, counted from 0, at which the detector alarmed; `times`: how often it did in the window."""

    detector: str
    row: int
    times: int
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The state to keep for the next window, and what was found in this one."""

    state: Json
    detections: list[Detection]


def listen(
    state: Json | None,
    *,
    version: int,
    names: Sequence[str],
    y: npt.NDArray[Any],
    predictions: Predictions,
    metric: str,
    task: Task,
) -> Heard:
    """Give the labelled rows of a window, in order of time, to each detector, and return what they said.

    `state`: what the last call returned, None for the first; that of another version is dropped. Detectors of errors have nothing to do
    in a regression. Rows whose loss is no number are left out.
    """
    known = state["detectors"] if state is not None and state["version"] == version else {}
    found: list[Detection] = []
    after: Json = {}
    streams = {"losses": _losses(y, predictions, metric, task), "errors": _errors(y, predictions, task)}
    for name in names:
        kind = detector(name)
        stream = streams[kind.takes]
        if stream is None:
            continue
        one = kind.restored(known.get(name))
        alarms = [row for row, value in enumerate(stream.tolist()) if np.isfinite(value) and one.add(value)]
        after[name] = kept(one)
        if alarms:
            because = f"{name} saw {kind.takes} rise at labelled row {alarms[0]} of {len(y)}"
            found.append(Detection(detector=name, row=alarms[0], times=len(alarms), because=because))
    return Heard(state={"version": version, "detectors": after}, detections=found)


def _losses(y: npt.NDArray[Any], predictions: Predictions, metric: str, task: Task) -> npt.NDArray[np.float64] | None:
    """Return the loss of each row by the watched metric, where it is a mean of losses; else of the task's plainest one."""
    if metric in LOSSES and (metric not in ("log_loss", "brier") or predictions.scores is not None):
        return loss_per_row(y, predictions, metric)
    return loss_per_row(y, predictions, "mae" if task is Task.REGRESSION else "accuracy")


def _errors(y: npt.NDArray[Any], predictions: Predictions, task: Task) -> npt.NDArray[np.float64] | None:
    return None if task is Task.REGRESSION else (y != predictions.labels).astype(np.float64)
