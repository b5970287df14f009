"""Embeddings of two tables: by rows and by profiles alike, with a verdict for whatever they hold."""

import numpy as np
import polars as pl
import pytest

from homeostat.app.drifting import drift_report
from homeostat.watch.comparison.tables import size_in_rows
from homeostat.watch.settings import DriftSettings

ROWS, SIZE = 1_500, 16


def world(seed=0, *, shift=0.0, turn=0.0, size=SIZE) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(0.0, 1.0, (ROWS, size)) + shift
    if turn:  # columns go together as they did not: no single one moves
        common = rng.normal(size=(ROWS, 1))
        vectors = np.sqrt(1 - turn) * vectors + np.sqrt(turn) * common
    return pl.DataFrame({"e": pl.Series(vectors.tolist(), dtype=pl.List(pl.Float32)), "x": rng.normal(size=ROWS)})


def odd(value) -> pl.DataFrame:
    """Return the world with a sixth of its vectors replaced."""
    return pl.DataFrame(
        {"e": [value if at % 6 == 0 else one for at, one in enumerate(world(1)["e"].to_list())], "x": world(1)["x"]},
        schema_overrides={"e": pl.List(pl.Float32)},
    )


CASES = {
    "as the reference": (world(1), "ok", "as the reference"),
    "a shift": (world(1, shift=0.5), "alarm", ""),
    "a turn": (world(1, turn=0.5), "alarm", ""),
    "arrays": (world(1).with_columns(pl.col("e").list.to_array(SIZE)), "ok", "as the reference"),
    "another length": (world(1, size=SIZE + 1), "alarm", ""),
    "some of another length": (odd([1.0]), "alarm", "not of its kind"),
    "some null": (odd(None), "alarm", "has no value"),
    "some NaN": (odd([float("nan")] * SIZE), "alarm", "not of its kind"),
    "all null": (world(1).with_columns(e=pl.lit(None, dtype=pl.List(pl.Float32))), "alarm", "has no value"),
    "words": (world(1).with_columns(e=pl.lit("many")), "alarm", "not of its kind"),
    "gone": (world(1).drop("e"), "alarm", "do not have it"),
    "constant": (world(1).with_columns(e=pl.Series([[0.5] * SIZE] * ROWS)), "alarm", ""),
}


@pytest.mark.parametrize("by", ["rows", "profiles"])
@pytest.mark.parametrize("case", CASES)
def test_a_verdict_names_what_is_wrong(tmp_path, case, by):
    current, state, because = CASES[case]
    world().write_parquet(tmp_path / "old.parquet")
    current.write_parquet(tmp_path / "new.parquet")
    found = drift_report(
        "old.parquet", "new.parquet", root=tmp_path, output=tmp_path / "r.html", settings=DriftSettings(), by=by
    )
    one = next(column for column in found.columns if column.name == "e")
    assert one.state == state, one.because
    assert because in one.because
    found.to_json()
    if case == "a shift":
        assert {drift.method: drift.state for drift in one.joint} == {"energy": "alarm", "mmd": "alarm"}
        assert "projections" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_a_new_column_of_embeddings_warns(tmp_path, by):
    world().drop("e").write_parquet(tmp_path / "old.parquet")
    world(1).write_parquet(tmp_path / "new.parquet")
    found = drift_report("old.parquet", "new.parquet", root=tmp_path, output=None, settings=DriftSettings(), by=by)
    assert {one.name: one.state for one in found.columns} == {"e": "warn", "x": "ok"}


def test_many_pieces_say_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr("homeostat.watch.comparison.tables._VALUES", 400 * SIZE)
    monkeypatch.setattr("homeostat.watch.comparison.vectors.VALUES", 200 * SIZE)
    for name, frame in (("old", world()), ("same", world(1)), ("moved", world(1, shift=0.5))):
        frame.write_parquet(tmp_path / f"{name}.parquet")
    for by in ("rows", "profiles"):
        for new, state in (("same", "ok"), ("moved", "alarm")):
            found = drift_report(
                "old.parquet", f"{new}.parquet", root=tmp_path, output=None, settings=DriftSettings(), by=by
            )
            assert found.state == state


def test_chance_does_not_alarm(tmp_path):
    print("seeds 0 to 19")
    for seed in range(10):
        for name, at in (("old", 2 * seed), ("new", 2 * seed + 1)):
            world(at)[:300].write_parquet(tmp_path / f"{name}.parquet")
        found = drift_report("old.parquet", "new.parquet", root=tmp_path, output=None, settings=DriftSettings())
        assert found.state == "ok", f"seed {seed}: {found.summary}"


def test_large_embeddings_are_known_before_they_are_read(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    assert size_in_rows("old.parquet", root=tmp_path) >= 3 * 4 * ROWS * SIZE
