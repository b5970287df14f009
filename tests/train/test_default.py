import warnings
from pathlib import Path

import cloudpickle
import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Roles, Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.track.metrics import compute
from homeostat.train.fit import fit, fit_logged
from homeostat.train.frames import target
from homeostat.train.package import Package, predict
from homeostat.train.settings import TrainSettings

HERE = Path(__file__).parent


def _trained(frame, signature, roles, **settings):
    return fit_logged(frame, roles=roles, signature=signature, settings=TrainSettings(**settings), root=HERE)


@pytest.mark.parametrize(
    ("task", "metric", "at_least"),
    [(Task.BINARY, "roc_auc", 0.85), (Task.MULTICLASS, "roc_auc", 0.85), (Task.REGRESSION, "r2", 0.6)],
)
def test_it_learns_from_every_kind_of_column(  # noqa: PLR0917 - fixtures
    rows, signature, roles, task, metric, at_least
):
    frame = rows(1500, task=task)
    model = _trained(frame[:1000], signature(task), roles).model
    said = predict(Package(model=model, signature=signature(task)), frame[1000:])
    assert compute([metric], target(frame["late"][1000:], task), said)[metric] > at_least


def test_the_same_seed_gives_the_same_model_and_pickling_keeps_it(rows, signature, roles):
    first, second = (_trained(rows(500), signature(), roles, seed=4).model for _ in range(2))
    thawed = cloudpickle.loads(cloudpickle.dumps(first))
    answers = [
        predict(Package(model=m, signature=signature()), rows(50, seed=9)).scores for m in (first, second, thawed)
    ]
    assert np.array_equal(answers[0], answers[1])
    assert np.array_equal(answers[0], answers[2])


def test_unknown_categories_and_nulls_everywhere_get_an_answer(rows, signature, roles):
    model = _trained(rows(300), signature(), roles).model
    strange = rows(3).with_columns(city=pl.Series(["Atlantis", None, ""]), amount=pl.lit(None, pl.Float64))
    empty = strange.with_columns(pl.lit(None).alias(name) for name in ("vip", "signed", "note", "city"))
    for frame in (strange, empty):
        scores = predict(Package(model=model, signature=signature()), frame).scores
        assert np.isfinite(scores).all()
        assert np.allclose(scores.sum(axis=1), 1.0)


def _one_column(kind, values, target_values, task=Task.BINARY):
    signature = Signature(
        task=task,
        columns=(Column(name="x", kind=kind),),
        target="y",
        classes=() if task is Task.REGRESSION else tuple(sorted(set(target_values))),
    )
    return pl.DataFrame({"x": values, "y": target_values}), signature


def test_more_categories_than_the_trees_take_still_work():
    values = [f"c{i % 700}" if i % 3 else "often" for i in range(3000)]
    frame, signature = _one_column(Kind.CATEGORY, values, [int(value == "often") for value in values])
    model = _trained(frame, signature, Roles(target="y")).model
    assert compute(
        ["accuracy"], target(frame["y"], Task.BINARY), predict(Package(model=model, signature=signature), frame)
    ) == {"accuracy": 1.0}


def test_infinite_values_are_nulls_to_it():
    values = [float("inf") if i % 5 == 0 else float(i) for i in range(400)]
    frame, signature = _one_column(Kind.FLOAT, values, [int(i > 200) for i in range(400)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = _trained(frame, signature, Roles(target="y")).model
    assert np.isfinite(predict(Package(model=model, signature=signature), frame).scores).all()


def test_a_class_that_the_training_rows_lack_has_probability_zero(rows, signature, roles):
    frame = rows(400, task=Task.MULTICLASS)
    kept = frame.filter(pl.col("late") != "b")
    model = _trained(kept, signature(Task.MULTICLASS), roles).model
    said = predict(Package(model=model, signature=signature(Task.MULTICLASS)), frame)
    assert said.scores.shape == (400, 3)
    assert not said.scores[:, 1].any()


def test_probabilities_of_few_rows_are_cooled_and_that_helps(rows, signature, roles):
    frame = rows(3000, seed=3)
    train, test = frame[:800], frame[800:]
    losses = {}
    for mode in ("never", "auto"):
        fitted = _trained(train, signature(), roles, params={"calibrate": mode})
        said = predict(Package(model=fitted.model, signature=signature()), test)
        losses[mode] = compute(["log_loss"], target(test["late"], Task.BINARY), said)["log_loss"]
    assert fitted.params["calibrated"] == "True"
    assert fitted.metrics["calibration_log_loss_after"] < fitted.metrics["calibration_log_loss_before"]
    assert losses["auto"] < losses["never"] - 0.01


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"max_itr": 5}, "no parameter 'max_itr'"),
        ({"calibrate": "maybe"}, "calibrate is 'maybe'"),
    ],
)
def test_wrong_parameters_are_refused(rows, signature, roles, params, says):
    with pytest.raises(InvalidInput, match=says):
        fit(rows(60), roles=roles, signature=signature(), settings=TrainSettings(params=params), root=HERE)


def test_parameters_reach_the_trees(rows, signature, roles):
    params = {"max_iter": 3, "class_weight": {"yes": 5.0, "no": 1.0}}
    fitted = _trained(rows(200), signature(), roles, params=params)
    assert fitted.model.trees_.n_iter_ == 3
    assert fitted.model.trees_.class_weight == {1: 5.0, 0: 1.0}
    assert fitted.params["max_iter"] == "3"


def test_nothing_to_learn_from_is_told(rows, signature, roles):
    one_class = rows(50).with_columns(late=pl.lit("no"))
    with pytest.raises(InvalidInput, match="all training rows have the same 'late': 'no'"):
        _trained(one_class, signature(), roles)
    frame, constant = _one_column(Kind.FLOAT, [1.0] * 40, [0, 1] * 20)
    with pytest.raises(InvalidInput, match="every feature is constant"):
        _trained(frame, constant, Roles(target="y"))


def test_thousands_of_features_are_sampled():
    rng = np.random.default_rng(0)
    names = [f"x{i}" for i in range(2000)]
    frame = pl.DataFrame({name: rng.normal(size=60) for name in names}).with_columns(y=pl.int_range(60) % 2)
    columns = tuple(Column(name=name, kind=Kind.FLOAT) for name in names)
    signature = Signature(task=Task.BINARY, columns=columns, target="y", classes=(0, 1))
    fitted = _trained(frame, signature, Roles(target="y"), params={"max_iter": 2})
    assert fitted.model.trees_.max_features == 0.25
