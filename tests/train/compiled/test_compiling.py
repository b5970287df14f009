"""What is kept of a compilation, and that nothing in it stops a training."""

from pathlib import Path

import msgspec
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from tests.train.compiled.tables import fitted, numbers, signature

from homeostat.serve.evaluator import Quick
from homeostat.serve.table import Table
from homeostat.train.compiled import compiling
from homeostat.train.compiled.agreement import Report
from homeostat.train.compiled.converters import converters
from homeostat.train.compiled.session import load
from homeostat.train.package import Package, predict


class Rule:
    def predict(self, rows):
        return rows["x1"].to_numpy() * 2.0


def test_every_converter_has_a_test():
    here = Path(__file__).parent / "converters"
    assert [each.name for each in converters() if not (here / f"test_{each.name}.py").exists()] == []


def test_a_rule_is_not_compiled_and_the_report_says_so(tmp_path):
    frame, columns, _ = numbers(50)
    report = compiling.compile_package(tmp_path, Package(model=Rule(), signature=signature(columns)), frame)
    assert (report.is_used, report.because) == (False, "no converter takes a Rule")
    assert msgspec.json.decode((tmp_path / "compiled/report.json").read_bytes(), type=Report) == report
    assert load(tmp_path, signature(columns)) is None


def test_without_the_extra_the_original_serves(tmp_path, monkeypatch):
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    frame, columns, _ = numbers(50)
    report = compiling.compile_package(tmp_path, Package(model=Rule(), signature=signature(columns)), frame)
    assert report.because == "onnx is not installed: pip install 'homeostat[onnx]'"


def test_what_was_kept_answers_tables_as_the_original_does(tmp_path):
    frame, columns, rng = numbers()
    sig = signature(columns)
    model = fitted(HistGradientBoostingRegressor(max_iter=10), frame, columns, rng.normal(size=len(frame)))
    package = Package(model=model, signature=sig)
    assert compiling.compile_package(tmp_path, package, frame).is_used
    compiled = load(tmp_path, sig)
    assert isinstance(compiled, Quick)
    table = Table.of_rows(columns, frame.rows())
    np.testing.assert_allclose(compiled.answer(table).labels, predict(package, frame).labels, atol=1e-12)
    assert len(compiled.answer(table.slice(0, 0))) == 0


def test_a_package_without_held_out_rows_is_compared_on_nothing_and_says_so(tmp_path):
    frame, columns, rng = numbers(80)
    model = fitted(HistGradientBoostingRegressor(max_iter=2), frame, columns, rng.normal(size=80))
    report = compiling.compile_package(tmp_path, Package(model=model, signature=signature(columns)), frame.clear())
    assert not report.is_used
    assert "no rows" in report.because
