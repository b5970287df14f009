"""The report as a whole: rows and profiles agree, files of several kinds, the page, the command."""

import re

import numpy as np
import polars as pl
import pytest
from tests.watch.comparison.worlds import ROWS, spoilt, world

from homeostat.app.drifting import drift_profile, drift_report
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.watch.settings import DriftSettings


def report(folder, old, new, **options):
    given = {"settings": DriftSettings(), "output": None, "root": folder}
    return drift_report(old, new, **given | options)


def test_profiles_say_what_rows_say(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    spoilt(x=pl.col("x") + 1.0).write_parquet(tmp_path / "new.parquet")
    rows, profiles = (report(tmp_path, "old.parquet", "new.parquet", by=by) for by in ("rows", "profiles"))
    assert [one.name for one in rows.columns][:1] == [one.name for one in profiles.columns][:1] == ["x"]
    effects = [
        {(d.column, d.method): d.effect for one in each.columns for d in one.drifts} for each in (rows, profiles)
    ]
    assert effects[0].keys() == effects[1].keys()
    for key, effect in effects[0].items():
        assert effects[1][key] == pytest.approx(effect, abs=0.02), key


@pytest.mark.parametrize("by", ["rows", "profiles"])
def test_csv_parquet_and_globs_are_read_alike(tmp_path, by):
    old, new = world().drop("t"), spoilt(x=pl.col("x") + 1.0).drop("t")
    old.write_csv(tmp_path / "old.csv")
    new.write_parquet(tmp_path / "new.parquet")
    for at, part in enumerate((new[:700], new[700:])):
        part.write_parquet(tmp_path / f"part{at}.parquet")
        part.write_csv(tmp_path / f"part{at}.csv")
    whole = report(tmp_path, "old.csv", "new.parquet", by=by)
    for asked in ("part*.parquet", "part*.csv"):
        found = report(tmp_path, "old.csv", asked, by=by)
        assert (found.state, found.current_rows) == ("alarm", ROWS)
        assert {one.name: one.state for one in found.columns} == {one.name: one.state for one in whole.columns}


def test_a_kept_profile_stands_for_its_table(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    spoilt(x=pl.col("x") + 1.0).write_parquet(tmp_path / "new.parquet")
    kept = drift_profile("old.parquet", root=tmp_path, output=tmp_path / "old.json")
    drift_profile("new.parquet", root=tmp_path, output=tmp_path / "new.json", like="old.json")
    assert kept.rows == ROWS
    for new in ("new.parquet", "new.json"):
        found = report(tmp_path, "old.json", new)
        assert (found.state, found.by, found.columns[0].name) == ("alarm", "profiles", "x")
    with pytest.raises(InvalidInput, match="no rows to compare"):
        report(tmp_path, "old.json", "new.parquet", by="rows")


def test_many_pieces_make_one_profile(tmp_path, monkeypatch):
    monkeypatch.setattr("homeostat.watch.comparison.tables.PIECE", 300)
    world().write_parquet(tmp_path / "old.parquet")
    world(1).write_parquet(tmp_path / "new.parquet")
    seen = []
    found = report(
        tmp_path, "old.parquet", "new.parquet", by="profiles", tell=lambda done, whole: seen.append((done, whole))
    )
    assert found.state == "ok"
    assert seen[-1][0] == 2 * ROWS
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_kept_profiles_with_other_bins_are_refused(tmp_path):
    for name, seed in (("old", 0), ("new", 1)):
        world(seed).write_parquet(tmp_path / f"{name}.parquet")
        drift_profile(f"{name}.parquet", root=tmp_path, output=tmp_path / f"{name}.json")
    with pytest.raises(InvalidInput, match="other bins"):
        report(tmp_path, "old.json", "new.json")


@pytest.mark.parametrize("before", [None, 3.0])
def test_a_column_without_values_at_first_is_profiled_whole(tmp_path, monkeypatch, before):
    """Its bins come later than those of the others, or never: the parts go together all the same."""
    monkeypatch.setattr("homeostat.watch.comparison.tables.PIECE", 50)
    late = pl.when(pl.int_range(pl.len()) < 1_500).then(None).otherwise(pl.col("x"))
    world().with_columns(x=pl.lit(before, dtype=pl.Float64), late=late).write_parquet(tmp_path / "old.parquet")
    world(1).with_columns(late=late).write_parquet(tmp_path / "new.parquet")
    found = report(tmp_path, "old.parquet", "new.parquet", by="profiles", output=tmp_path / "r.html")
    states = {one.name: one.state for one in found.columns}
    assert (states["x"], states["late"]) == ("alarm", "ok")


def test_a_place_that_there_is_not_is_told(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    with pytest.raises(NotFound, match="nothing to profile on is called 'moon'"):
        report(tmp_path, "old.parquet", "old.parquet", by="profiles", on="moon")


def test_no_false_alarms_over_many_quiet_pairs(tmp_path):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        for name in ("old", "new"):
            pl.DataFrame(
                {f"x{i}": rng.normal(size=1_000) for i in range(5)}
                | {f"c{i}": rng.choice(list("abcdefgh"), 1_000) for i in range(5)}
            ).write_parquet(tmp_path / f"{name}.parquet")
        assert report(tmp_path, "old.parquet", "new.parquet").state == "ok", f"seed {seed}"


def test_the_page_is_alone_small_and_escaped(tmp_path):
    name = "<b>&\"'\n$x</b>"
    rng = np.random.default_rng(0)
    columns = {f"column {i}": rng.normal(size=500) for i in range(10)} | {
        f"words {i}": rng.choice(["<i>one</i>", "two " * 60, "three"], 500) for i in range(9)
    }
    old = pl.DataFrame(columns | {name: rng.normal(size=500)})
    old.write_parquet(tmp_path / "old.parquet")
    old.with_columns((pl.col(name) + 2).alias(name)).write_parquet(tmp_path / "new.parquet")
    report(tmp_path, "old.parquet", "new.parquet", output=tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert len(page.encode()) < 500_000
    assert "&lt;b&gt;&amp;&quot;&#x27; $x&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert not re.search(r"<script|<link|<img|<iframe|@import|url\(|https?://", page)
    assert "default-src 'none'" in page
    assert page.count("<svg viewBox") == 20


def test_methods_and_limits_are_the_users(tmp_path):
    world().write_parquet(tmp_path / "old.parquet")
    spoilt(x=pl.col("x") + 1.0).write_parquet(tmp_path / "new.parquet")
    settings = DriftSettings(methods=["ks", "psi"], thresholds={"ks": 0.9, "psi": 9.0})
    found = report(tmp_path, "old.parquet", "new.parquet", settings=settings)
    assert found.state == "ok"
    assert {drift.method for one in found.columns for drift in one.drifts} == {"ks", "psi"}
    for odd in (DriftSettings(methods=["kz"]), DriftSettings(thresholds={"kz": 1.0})):
        with pytest.raises(NotFound, match="no drift method 'kz'"):
            report(tmp_path, "old.parquet", "new.parquet", settings=odd)


def test_a_folder_that_is_not_there_is_told_before_anything_is_read(tmp_path):
    with pytest.raises(InvalidInput, match="no folder"):
        report(tmp_path, "old.parquet", "new.parquet", output=tmp_path / "no" / "r.html")
