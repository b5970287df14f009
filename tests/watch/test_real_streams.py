"""On real data with drift: a model that is never retrained decays, and shuffled rows (a world that stands still) do not."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from homeostat.core.columns import Kind, Task
from homeostat.track.predictions import Predictions
from homeostat.watch.observe import observe
from homeostat.watch.reference import build_reference
from homeostat.watch.settings import WatchSettings
from homeostat.watch.verdict import Verdict

DATA = Path(__file__).parents[3] / "shared" / "data"


def stream(name: str) -> pl.DataFrame:
    if not (DATA / name).exists():
        pytest.skip("no ../shared/data here")
    return pl.read_csv(DATA / name)


@threadpool_limits.wrap(limits=1)  # threads that wait for busy cores cost more than they bring
def verdicts_of_a_static_model(
    frame: pl.DataFrame, features: dict[str, Kind], target: str, *, history: int, window: int
) -> list[Verdict]:
    """Train on four fifths of the first rows, keep the last fifth as reference, and watch the rest window by window."""
    X = frame.select(pl.col(name).cast(pl.Float64) for name in features).to_numpy()
    y = frame[target].to_numpy()
    task = Task.REGRESSION if frame[target].dtype.is_numeric() else Task.BINARY
    model = (
        HistGradientBoostingRegressor(loss="absolute_error", max_iter=40, random_state=0)
        if task is Task.REGRESSION
        else HistGradientBoostingClassifier(max_iter=40, random_state=0)
    )
    cut = int(history * 0.8)
    model.fit(X[:cut], y[:cut])

    def answers(part: slice) -> Predictions:
        if task is Task.REGRESSION:
            return Predictions(labels=model.predict(X[part]))
        classes = tuple(model.classes_.tolist())
        return Predictions(labels=model.predict(X[part]), scores=model.predict_proba(X[part]), classes=classes)

    held_out = slice(cut, history)
    reference = build_reference(
        frame[held_out], y[held_out], answers(held_out), kinds=features, task=task, metric=None, version=1
    )
    effects: list[float] = []
    found = []
    for start in range(history, len(y) - window + 1, window):
        part = slice(start, start + window)
        found.append(
            observe(
                frame[part].select(list(features)),
                reference=reference,
                predictions=answers(part),
                y=y[part],
                settings=WatchSettings(),
                history=effects,
            )
        )
        effects.append(found[-1].decay.effect)
    return found


ELEC2 = dict.fromkeys(("period", "nswprice", "nswdemand", "vicprice", "vicdemand", "transfer"), Kind.FLOAT)
BIKE = dict.fromkeys(("temp", "atemp", "hum", "windspeed"), Kind.FLOAT) | dict.fromkeys(
    ("hr", "weekday", "workingday", "weathersit"), Kind.INTEGER
)


def shuffled(frame: pl.DataFrame, seed: int) -> pl.DataFrame:
    return frame[np.random.default_rng(seed).permutation(frame.height)]


def test_a_static_model_on_elec2_decays_within_weeks():
    found = verdicts_of_a_static_model(stream("elec2.csv.gz"), ELEC2, "class", history=12 * 336, window=336)
    assert any(one.decayed for one in found[:8])
    assert np.mean([one.decayed for one in found]) > 0.3
    # labels follow their predecessor: repeating the last one is known to score 85.4 % over the whole stream
    assert np.mean([one.performance.no_change for one in found]) == pytest.approx(0.854, abs=0.02)


def test_a_static_model_on_bike_sharing_decays_as_the_business_grows():
    found = verdicts_of_a_static_model(stream("bike_sharing_hour.csv.gz"), BIKE, "cnt", history=12 * 168, window=168)
    assert any(one.decayed for one in found[:12])


@pytest.mark.parametrize(
    ("name", "features", "target", "window"),
    [("elec2.csv.gz", ELEC2, "class", 336), ("bike_sharing_hour.csv.gz", BIKE, "cnt", 168)],
)
def test_shuffled_rows_do_not_decay_more_than_by_chance(name, features, target, window):
    """One reference is shared by all windows of a pass, so that false alarms come in clusters: several passes, one nominal rate."""
    frame = stream(name)
    found = [
        verdicts_of_a_static_model(shuffled(frame, seed), features, target, history=12 * window, window=window)
        for seed in range(3)
    ]
    decayed = [one.decayed for verdicts in found for one in verdicts]
    drifted = [one.drifted for verdicts in found for one in verdicts]
    assert np.mean(decayed) < 0.06
    assert np.mean(drifted) < 0.01
    assert not any(one.broken for verdicts in found for one in verdicts)
