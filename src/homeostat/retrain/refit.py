"""Whether a model that learned from all rows, the tested ones included, takes the place of the one that was tested. Pure."""

from typing import Any

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Task
from homeostat.track.losses import loss_per_row
from homeostat.track.predictions import Predictions
from homeostat.track.usual import primary


def takes_its_place(refitted: Predictions, tested: Predictions, y: npt.NDArray[Any], task: Task) -> bool:
    """Return whether the second model is no worse on the test rows, which it has seen and the tested one has not.

    If even so it is worse, something is odd about it, and the model that the gate has judged is the one to trust.
    """
    without_scores = task is not Task.REGRESSION and (refitted.scores is None or tested.scores is None)
    metric = "accuracy" if without_scores else primary(task)
    loss = loss_per_row(y, refitted, metric)
    return bool(np.isfinite(loss).all() and loss.mean() <= loss_per_row(y, tested, metric).mean())
