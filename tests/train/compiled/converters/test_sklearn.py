import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from tests.train.compiled.tables import check_compiled, fitted, numbers, signature

from homeostat.train.compiled.compiling import compile_package
from homeostat.train.compiled.session import load
from homeostat.train.package import Package


def table():
    frame, columns, rng = numbers(nulls=0.0)
    return frame, columns, (frame["x1"].to_numpy() + rng.normal(size=len(frame)) > 0).astype(int)


def test_a_pipeline_of_classes(tmp_path):
    frame, columns, y = table()
    model = fitted(make_pipeline(StandardScaler(), LogisticRegression()), frame, columns, y)
    check_compiled(tmp_path, model, frame, signature(columns, (0, 1)), "sklearn")


def test_a_linear_model_of_numbers(tmp_path):
    frame, columns, y = table()
    check_compiled(tmp_path, fitted(Ridge(), frame, columns, y * 2.5), frame, signature(columns), "sklearn")


def test_a_forest_that_differs_is_not_used_and_the_report_says_where(tmp_path):
    frame, columns, y = table()
    model = fitted(RandomForestClassifier(60, random_state=0), frame, columns, y)
    sig = signature(columns, (0, 1))
    report = compile_package(tmp_path, Package(model=model, signature=sig), frame)
    if report.is_used:  # a converter in doubles may come to agree
        assert report.worst <= report.tolerance
    else:
        assert "differs" in report.because
        assert report.worst > report.tolerance
        assert set(report.worst_row) == set(frame.columns)
        assert load(tmp_path, sig) is None


def test_a_model_without_probabilities_is_left_as_it_is(tmp_path):
    frame, columns, y = table()
    sig = signature(columns, (0, 1))
    report = compile_package(tmp_path, Package(model=fitted(LinearSVC(), frame, columns, y), signature=sig), frame)
    assert not report.is_used
    assert "no probabilities" in report.because
    assert np.isfinite(report.tolerance)
