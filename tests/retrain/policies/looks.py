"""What policies look at in their tests."""

import numpy as np
import polars as pl
from tests.retrain.situations import situation

from homeostat.retrain.policies import Labelled, Look
from homeostat.track.predictions import Predictions

NO_VERSION: tuple = ()
A_VERSION: tuple = ("version 1",)  # most rules only look whether there is one


def look(*, step: int | None = 0, versions: tuple = A_VERSION, labelled: tuple = (), known=None, **told) -> Look:
    return Look(
        situation=situation(**told),
        occasion=f"test:{step}",
        step=step,
        labelled=labelled,
        known=pl.DataFrame({"y": [0.0, 10.0]}) if known is None else known,
        versions=versions,
    )


def labelled(y, said) -> Labelled:
    y = np.asarray(y)
    return Labelled(rows=pl.DataFrame({"y": y}), predictions=Predictions(labels=np.asarray(said)), y=y)
