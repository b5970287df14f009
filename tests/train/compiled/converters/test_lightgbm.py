from lightgbm import LGBMClassifier
from tests.train.compiled.tables import fitted, numbers, signature

from homeostat.train.compiled.compiling import compile_package
from homeostat.train.package import Package


def test_it_is_used_only_where_it_agrees(tmp_path):
    frame, columns, rng = numbers()
    y = (frame["x1"].to_numpy() + rng.normal(size=len(frame)) > 0).astype(int)
    model = fitted(LGBMClassifier(n_estimators=20, verbose=-1), frame, columns, y)
    report = compile_package(tmp_path, Package(model=model, signature=signature(columns, (0, 1))), frame)
    assert report.converter == "lightgbm"
    assert report.is_used == (
        report.worst is not None and report.worst <= report.tolerance and not report.labels_differ
    )
    assert report.because
