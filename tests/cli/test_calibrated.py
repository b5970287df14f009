from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import polars as pl

from homeostat.cli.calibrated import calibration_text
from homeostat.core.columns import Task
from homeostat.core.records.watching import WindowVerdict
from homeostat.track.predictions import Predictions
from homeostat.watch.answered import answered, told


def of_score(came: int):
    said = Predictions(labels=np.array(["yes"] * 4), scores=np.array([[0.3, 0.7]] * 4), classes=("no", "yes"))
    return answered(said, pl.Series(["yes"] * came + ["no"] * (4 - came)), task=Task.BINARY)


def test_windows_and_their_sum_are_shown(shell):
    shell.init()
    assert "no window has kept its answers" in shell.ok("watch", "calibration").out
    for day, came in enumerate((1, 3)):
        start = datetime(2026, 1, 1 + day, tzinfo=UTC)
        body = {"version": 1, "answers": msgspec.to_builtins(of_score(came)), "verdict": {}}
        with shell.store.write() as tx:
            tx.watch.add(
                WindowVerdict(
                    model="shop",
                    window_start=start,
                    window_end=start + timedelta(days=1),
                    revision=0,
                    computed=start,
                    state="ok",
                    body=body,
                )
            )
    found = shell.ok("--json", "watch", "calibration").json
    assert [round(one["calibration_error"], 3) for one in found["windows"]] == [0.45, 0.05]
    assert found["together"]["labelled"] == 8
    said = shell.ok("watch", "calibration").out
    assert "0.65 to 0.70" in said
    assert "together" in said


def test_numbers_have_no_bins():
    said = Predictions(labels=np.array([1.0, 3.0]))
    found = answered(said, pl.Series([0.0, 0.0]), task=Task.REGRESSION)
    assert told(found)["rmse"] == np.sqrt(5.0)
    assert "score" not in calibration_text([{"start": datetime(2026, 1, 1, tzinfo=UTC)} | told(found)], found)
    assert told(None) == {}
