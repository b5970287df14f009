import polars as pl
from tests.watch.comparison.worlds import spoilt, world


def test_exit_codes_tell_drift_from_none(shell):
    world().write_parquet(shell.folder / "old.parquet")
    world(1).write_parquet(shell.folder / "same.parquet")
    spoilt(x=pl.col("x") + 1.0).write_csv(shell.folder / "moved.csv")
    spoilt(extra=pl.lit(1)).write_parquet(shell.folder / "more.parquet")
    said = shell("drift", "report", "old.parquet", "same.parquet", "-o", "r.html")
    assert (said.status, (shell.folder / "r.html").is_file()) == (0, True)
    said = shell("drift", "report", "old.parquet", "moved.csv")
    assert said.status == 1
    assert "x" in said.out.splitlines()[0]
    assert shell("drift", "report", "old.parquet", "more.parquet").status == 0
    assert shell("drift", "report", "old.parquet", "more.parquet", "--fail-on", "warn").status == 1


def test_json_is_the_whole_comparison(shell):
    world().write_parquet(shell.folder / "old.parquet")
    said = shell("drift", "report", "old.parquet", "old.parquet", "--json")
    assert said.status == 0
    assert said.json["state"] == "ok"
    assert {one["name"] for one in said.json["columns"]} == set(world().columns)


def test_a_profile_is_kept_and_used(shell):
    world().write_parquet(shell.folder / "old.parquet")
    shell.ok("drift", "profile", "old.parquet", "-o", "old.json")
    assert shell("drift", "report", "old.json", "old.parquet").status == 0


def test_bad_options_are_wrong_usage(shell):
    world().write_parquet(shell.folder / "old.parquet")
    for options in (("--alpha", "2"), ("--threshold", "ks"), ("--threshold", "ks=-1"), ("--min-rows", "0")):
        assert shell("drift", "report", "old.parquet", "old.parquet", *options).status == 2
    assert shell("drift", "report", "old.parquet", "old.parquet", "--method", "kz").status == 3
    assert shell("drift", "report", "old.parquet", "absent.parquet").status == 2


def test_answers_are_compared_where_their_columns_are_named(shell):
    pl.DataFrame({"s": [0.2, 0.8] * 500, "y": [0, 1] * 500}).write_parquet(shell.folder / "old.parquet")
    pl.DataFrame({"s": [0.2, 0.8] * 500, "y": [1, 1] * 500}).write_parquet(shell.folder / "new.parquet")
    said = shell("drift", "report", "old.parquet", "new.parquet", "--score", "s", "--label", "y", "--json")
    assert (said.status, said.json["answers"]["state"]) == (1, "alarm")
    assert shell("drift", "report", "old.parquet", "new.parquet", "--label", "y").status == 2
    shell.ok("drift", "profile", "old.parquet", "-o", "old.json", "--score", "s", "--label", "y")
    assert shell("drift", "report", "old.json", "new.parquet", "--json").json["answers"]["state"] == "alarm"
