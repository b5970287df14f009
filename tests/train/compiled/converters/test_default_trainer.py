import numpy as np
import pytest
from tests.train.compiled.tables import check_compiled, fitted, mixed, signature

from homeostat.train.estimator import DefaultClassifier, DefaultRegressor


def shaped(frame, columns):
    return [(column.name, column.kind.value) for column in columns], frame["when"].dt.hour().to_numpy()


@pytest.mark.parametrize("calibrate", ["never", "always"])
def test_two_classes_on_columns_of_every_kind(tmp_path, calibrate):
    frame, columns, rng = mixed()
    described, hours = shaped(frame, columns)
    city = np.array([{"Ulm": 2.0, "Bonn": -1.0}.get(name, 0.0) for name in frame["city"]])
    y = np.where(frame["size"].to_numpy() + city + (hours > 12) + rng.normal(size=len(frame)) > 0.5, "yes", "no")
    model = fitted(DefaultClassifier(described, ("no", "yes"), calibrate=calibrate), frame, columns, y)
    assert (model.calibration_.slope != 1.0) == (calibrate == "always")
    check_compiled(tmp_path, model, frame, signature(columns, ("no", "yes")), "default_trainer")


def test_a_class_that_training_lacks_gets_nothing(tmp_path):
    frame, columns, _ = mixed()
    described, _hours = shaped(frame, columns)
    y = np.where(frame["size"].to_numpy() > 0, "b", "c")
    model = fitted(DefaultClassifier(described, ("a", "b", "c"), calibrate="never"), frame, columns, y)
    check_compiled(tmp_path, model, frame, signature(columns, ("a", "b", "c")), "default_trainer")


def test_more_cities_than_there_are_codes(tmp_path):
    frame, columns, rng = mixed(3000)
    names = [f"c{n}" for n in rng.integers(0, 400, 3000)]
    frame = frame.with_columns(city=np.array(names))
    described, _hours = shaped(frame, columns)
    y = frame["size"].to_numpy() + np.array([int(name[1:]) % 3 for name in names])
    model = fitted(DefaultRegressor(described), frame, columns, y)
    check_compiled(tmp_path, model, frame, signature(columns), "default_trainer")
