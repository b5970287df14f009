"""Tables and signatures to compile models on."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.train.compiled.agreement import TOLERANCE
from homeostat.train.compiled.compiling import compile_package
from homeostat.train.frames import to_pandas
from homeostat.train.package import Package


def numbers(rows=600, *, seed=0, nulls=0.1):
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({f"x{i}": rng.normal(size=rows) for i in range(5)})
    frame = frame.with_columns(x5=pl.Series(rng.integers(0, 9, rows)))
    if nulls:
        mask = rng.random(rows) < nulls
        frame = frame.with_columns(x0=pl.when(pl.Series(mask)).then(None).otherwise(pl.col("x0")))
    columns = tuple(
        Column(name=name, kind=Kind.INTEGER if name == "x5" else Kind.FLOAT, nullable=bool(nulls) and name == "x0")
        for name in frame.columns
    )
    return frame, columns, rng


def mixed(rows=900, *, seed=0):
    rng = np.random.default_rng(seed)
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    frame = pl.DataFrame(
        {
            "size": rng.normal(size=rows),
            "count": rng.integers(0, 50, rows),
            "open": rng.random(rows) < 0.5,
            "city": rng.choice(["Ulm", "Bonn", "Köln", None], rows).tolist(),
            "note": ["x" * int(n) for n in rng.integers(0, 30, rows)],
            "when": [begin + timedelta(hours=int(h)) for h in rng.integers(0, 9000, rows)],
        },
        schema_overrides={"when": pl.Datetime("us", "UTC"), "city": pl.String},
    )
    kinds = [Kind.FLOAT, Kind.INTEGER, Kind.BOOLEAN, Kind.CATEGORY, Kind.TEXT, Kind.DATETIME]
    columns = tuple(
        Column(name=name, kind=kind, nullable=name == "city") for name, kind in zip(frame.columns, kinds, strict=True)
    )
    return frame, columns, rng


def signature(columns, classes=()):
    task = Task.REGRESSION if not classes else Task.BINARY if len(classes) == 2 else Task.MULTICLASS
    return Signature(task=task, columns=columns, target="y", classes=tuple(classes))


def fitted(model, frame, columns, y):
    return model.fit(to_pandas(frame, columns), y)


def check_compiled(folder, model, frame, sig, converter):
    """The model compiles, by that converter, and agrees on held-out rows and edges."""
    report = compile_package(folder, Package(model=model, signature=sig), frame)
    assert report.is_used, report.because
    assert report.converter == converter
    assert report.edge_rows > 10
    assert report.worst is not None
    assert report.worst <= TOLERANCE
    return report
