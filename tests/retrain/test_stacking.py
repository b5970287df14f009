from datetime import UTC, datetime, timedelta
from functools import partial

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.retrain.stacked import StackedModel
from homeostat.retrain.stacking import (
    GIVEN,
    LEAST_NEW_ROWS,
    Before,
    comparable,
    losses_of,
    renewed,
    settings_of_cycle,
    train,
)
from homeostat.track.predictions import Predictions
from homeostat.train.hooks import TrainingData
from homeostat.train.package import write_package
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import to_json

START = datetime(2024, 1, 1, tzinfo=UTC)
OLD, BATCH = 800, 200
SIGNATURE = Signature(
    task=Task.BINARY,
    columns=(Column(name="x", kind=Kind.INTEGER), Column(name="noise", kind=Kind.FLOAT)),
    target="y",
    classes=(0, 1),
)


class Shares:
    """The share of positives for each value of x."""

    def __init__(self, rows):
        x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
        self.shares = np.array([(y[x == k].sum() + 1) / ((x == k).sum() + 2) for k in range(4)])
        self.rows = len(rows)

    def predict_proba(self, features):
        p = self.shares[np.asarray(features["x"], dtype=int)]
        return np.column_stack([1 - p, p])

    def predict(self, features):
        return self.predict_proba(features).argmax(axis=1)


def world(batches: int, *, turned_from: int = 10**6, seed: int = 0) -> pl.DataFrame:
    """Old rows and some batches; from a row on yes means no."""
    rng, n = np.random.default_rng(seed), OLD + batches * BATCH
    x = rng.integers(0, 4, n)
    likely = np.where(x >= 2, 0.85, 0.15)
    likely = np.where(np.arange(n) < turned_from, likely, 1 - likely)
    times = [START + timedelta(hours=k) for k in range(n)]
    return pl.DataFrame({"at": times, "x": x, "noise": rng.normal(size=n), "y": (rng.random(n) < likely).astype(int)})


def first(rows: pl.DataFrame) -> Before:
    old = rows.head(OLD)
    return Before(model=Shares(old), signature=SIGNATURE, seen_until=old["at"][-1], trained_rows=OLD)


def gone_on(rows: pl.DataFrame, batches: int, **options):
    """Renew batch by batch, each from the stack before."""
    before, found, fits = first(rows), [], []

    def fit(part):
        fits.append(part.height)
        return Shares(part)

    for k in range(batches):
        until = rows.head(OLD + (k + 1) * BATCH)
        one = renewed(before, until, time="at", signature=SIGNATURE, fit=fit, **options)
        found.append(one)
        before = Before(model=one.model, signature=SIGNATURE, seen_until=until["at"][-1], trained_rows=until.height)
    return found, fits


@pytest.mark.parametrize("seed", range(5))
def test_a_still_world_brings_new_weights_and_no_fit(seed):
    found, fits = gone_on(world(6, seed=seed), 6)
    assert fits == []
    assert [len(one.model.members) for one in found] == [1] * 6
    assert found[-1].model.renewal.rows == OLD + 6 * BATCH
    assert {one.because for one in found} == {"no sign of change"}


def test_a_change_brings_a_member_that_does_not_see_the_rows_that_weigh_it():
    found, fits = gone_on(world(4, turned_from=OLD + 2 * BATCH), 4)
    assert [one.fitted is not None for one in found] == [False, False, True, False]
    assert found[2].fitted.startswith("change in ")
    renewal = found[2].model.renewal
    assert fits == [OLD - BATCH // 2]  # a window, less what is held back
    assert renewal.trained_until < renewal.seen_until
    assert len(found[3].model.members) == 2


def test_what_was_spent_in_vain_counts_against_the_budget():
    rows = world(3, turned_from=OLD + 2 * BATCH)
    found, fits = gone_on(rows, 3, spent=5.0)
    assert fits == []
    assert "the budget of 0.19 retrainings per batch is used up" in found[2].because


def test_the_stack_beats_the_model_that_it_came_from_after_the_change():
    rows = world(5, turned_from=OLD + 2 * BATCH)
    found, _ = gone_on(rows, 4)
    late, y = rows.tail(BATCH).to_pandas(), rows["y"].tail(BATCH).to_numpy()
    stack, old = found[-1].model.predict(late), first(rows).model.predict(late)
    assert (stack == y).mean() > 0.75
    assert (old == y).mean() < 0.4


def test_no_new_row_or_too_few_is_an_error():
    rows = world(1)
    with pytest.raises(NotEnoughData, match="no labelled row is newer"):
        renewed(first(rows), rows.head(OLD), time="at", signature=SIGNATURE, fit=Shares)
    with pytest.raises(NotEnoughData, match="39 new labelled rows"):
        settings_of_cycle(TrainSettings(), new=LEAST_NEW_ROWS - 1, total=1000, given={})


def test_half_of_the_new_rows_are_the_test():
    found = settings_of_cycle(TrainSettings(function="a:b", params={"p": 1}), new=200, total=1000, given={"time": "at"})
    assert found.test_share == pytest.approx(0.1)
    assert found.params == {"p": 1, GIVEN: {"time": "at", "function": "a:b"}}


def test_members_of_other_columns_are_left_out():
    rows = world(1)
    changed = Signature(task=Task.BINARY, columns=(Column(name="noise", kind=Kind.FLOAT),), target="y", classes=(0, 1))
    with pytest.raises(InvalidInput, match="columns have changed"):
        renewed(first(rows), rows, time="at", signature=changed, fit=Shares)


def test_the_trainer_goes_on_from_a_package_and_calls_the_projects_function(tmp_path, monkeypatch):
    rows = world(2, turned_from=OLD).with_columns(noise=pl.col("noise") + 2.0 * (pl.int_range(pl.len()) >= OLD))
    (tmp_path / "shares.py").write_text(
        "from tests.retrain.test_stacking import Shares\n\ndef train(data):\n"
        "    assert dict(data.params) == {'own': 1}\n    return Shares(data.frame)\n"
    )
    monkeypatch.chdir(tmp_path)
    write_package(first(rows).model, tmp_path / "package", signature=SIGNATURE, example=rows)
    told = {
        "package": str(tmp_path / "package"),
        "signature": to_json(SIGNATURE),
        "seen_until": rows["at"][OLD - 1].isoformat(),
        "trained_rows": OLD,
        "time": "at",
        "spent": 0.0,
        "function": "shares:train",
    }
    data = TrainingData(frame=rows, signature=SIGNATURE, params={"own": 1, GIVEN: told})
    found = train(data)
    assert isinstance(found, StackedModel)
    assert len(found.members) == 2
    assert data.logged_params["stack_fitted"] == "True"
    assert data.logged_params["stack_because"].startswith("change in ")


def test_losses_of_numbers_probabilities_and_labels():
    said = partial(Predictions, labels=np.array([1, 0]))
    assert losses_of(said(), np.array([1, 1]), Task.BINARY).tolist() == [0.0, 1.0]
    scored = said(scores=np.array([[0.2, 0.8], [1.0, 0.0]]), classes=(0, 1))
    assert losses_of(scored, np.array([1, 1]), Task.BINARY) == pytest.approx(-np.log([0.8, 0.05]))
    assert losses_of(said(), np.array([3.0, -1.0]), Task.REGRESSION).tolist() == [2.0, 1.0]


def test_what_cannot_be_compared_is_left_out():
    rows = pl.DataFrame({"n": [1, None], "c": ["b", None], "t": ["x", "y"], "b": [True, None]})
    kinds = {"n": Kind.INTEGER, "c": Kind.CATEGORY, "t": Kind.TEXT, "b": Kind.BOOLEAN}
    columns = tuple(Column(name=name, kind=kind) for name, kind in kinds.items())
    found = comparable(rows, Signature(task=Task.BINARY, columns=columns, target="y", classes=(0, 1)))
    assert list(found) == ["n", "c", "b"]
    assert np.isnan(found["n"]).tolist() == [False, True]
    assert found["c"].tolist() == [2, 1]
