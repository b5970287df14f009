import polars as pl
import pytest

from homeostat.app.checking import check_project
from homeostat.app.project import load
from homeostat.core.errors import InvalidInput

PROJECT = """
model: late
task: binary
data: {source: rows.csv, target: late}
"""


@pytest.fixture
def check(tmp_path):
    (tmp_path / "model.py").write_text("raise SystemExit('a check runs no code of the user')")
    pl.DataFrame({"x": range(4), "late": [0, 1, 0, 1]}).write_csv(tmp_path / "rows.csv")

    def check(more=""):
        (tmp_path / "homeostat.yaml").write_text(PROJECT + more)
        return check_project(load(tmp_path / "homeostat.yaml"))

    return check


def test_a_project_that_fits_its_data_is_told_by_numbers(check):
    more = "watch: {metric: brier, drift: {methods: [psi], thresholds: {psi: 0.3}}}\n"
    assert check(more)["rows"] == 4
    assert check("train: model:train")["rows"] == 4
    assert check("train: sklearn.svm:SVC")["rows"] == 4


def test_a_source_that_is_not_there_is_told_with_its_place(tmp_path):
    (tmp_path / "homeostat.yaml").write_text(PROJECT)
    with pytest.raises(InvalidInput, match=r"homeostat.yaml: data.source: no file 'rows.csv'"):
        check_project(load(tmp_path / "homeostat.yaml"))


@pytest.mark.parametrize(
    ("more", "says", "remedy"),
    [
        ("gate: {metrics: {aucc: {min: 0.7}}}", "gate.metrics: there is no metric of a binary task 'aucc'", "roc_auc"),
        (
            "gate: {champion: {metric: r2}}",
            "gate.champion.metric: there is no metric of a binary task 'r2'",
            "log_loss",
        ),
        ("watch: {metric: rmse}", "watch.metric: there is no metric", "brier"),
        ("watch: {drift: {methods: [pis]}}", "watch.drift.methods: there is no drift method 'pis'", "psi"),
        ("watch: {drift: {thresholds: {kss: 1}}}", "watch.drift.thresholds: there is no drift method 'kss'", "ks"),
        ("watch: {drift: {joint: [energie]}}", "watch.drift.joint: there is no method for all columns", "energy"),
        ("watch: {detectors: [adwin, dmm]}", "watch.detectors: there is no detector 'dmm'", "ddm"),
        ("watch: {estimates: [cbp]}", "watch.estimates: there is no estimator 'cbp'", "cbpe"),
        ("train: modle:train", "train.function: no module 'modle' in ", "did you mean 'model'"),
        ("train: model.train", "train.function: 'model.train' does not name a function", "module:function"),
        ("gate: {skip: [calibratio]}", "gate.skip: there is no check", "calibration"),
        ("watch: {groups: {slices: [xx]}}", "watch.groups.slices: rows.csv has no column 'xx'", "x"),
        ("watch: {groups: {protected: [xx]}}", "watch.groups.protected: rows.csv has no column 'xx'", "x"),
        ("gate: {slices: {columns: [xx]}}", "gate.slices.columns: rows.csv has no column 'xx'", "x"),
    ],
)
def test_names_that_are_not_there_are_told_with_their_place(check, more, says, remedy):
    with pytest.raises(InvalidInput) as caught:
        check(more + "\n")
    assert says in caught.value.message
    assert remedy in caught.value.hint
