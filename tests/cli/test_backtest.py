import numpy as np
import polars as pl
import pytest
from tests.cli.shell import shop


@pytest.fixture
def moving(shell):
    """A shop whose buyers turn round in the middle of the year."""
    frame = shop(1500)
    turned = pl.Series(np.where(frame["bought"] == "yes", "no", "yes"))
    frame = frame.with_columns(bought=pl.when(pl.int_range(pl.len()) < 900).then(pl.col("bought")).otherwise(turned))
    shell.init(frame)
    shell.set("params: {}", "params: {max_iter: 10}")
    return shell


def test_backtest_prints_a_row_per_policy_and_writes_the_report(moving):
    said = moving.ok("backtest", "--history", "500", "--step", "30d")
    lines = [line for line in said.out.splitlines() if line]
    assert [line.split()[0] for line in lines[:5]] == ["policy", "never", "always", "every_5", "policy"]
    assert lines[0].split()[1:3] == ["log", "loss"]
    assert "wrote homeostat-backtest.html" in said.err
    page = (moving.folder / "homeostat-backtest.html").read_text()
    assert "<svg" in page
    assert "<script" not in page
    assert moving.ok("--json", "data", "list").json == []
    assert not list((moving.folder / ".homeostat" / "work").iterdir())


def test_a_comparison_with_prices_and_known_changes_recommends_a_policy(moving):
    options = ("--policies", "never,every_2", "--history", "500", "--step", "30d", "--change-points", "900")
    said = moving.ok("backtest", *options, "--price-error", "1", "--price-retraining", "5", "--tolerance", "0.05")
    assert "Take every_2: " in said.out
    assert "Cost of errors and trainings: never " in said.out
    assert "never found 1 of 1 known changes" in said.out
    again = moving.ok("--json", "backtest", *options)
    one, other = again.json["policies"]
    assert one["false_alarms"] is not None
    assert one["cost"] is None
    assert again.json["recommendation"]["policy"] == other["policy"] == "every_2"
    assert len(list((moving.folder / ".homeostat" / "backtests").iterdir())) == 2


def test_backtest_as_json_of_one_policy_on_the_committed_data(moving):
    moving.ok("data", "commit")
    (moving.folder / "shop.csv").unlink()
    said = moving.ok("--json", "backtest", "--policies", "static", "--report", "never.html")
    assert [one["policy"] for one in said.json["policies"]] == ["never"]
    assert said.json["policies"][0]["retrainings"] == 0
    assert (moving.folder / "never.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--policies", "never,sometimes"), "no policy 'sometimes'"),
        (("--policies", "every"), "no policy 'every'"),
        (("--step", "soon"), "'soon' is not a duration"),
        (("--history", "0"), "0 rows"),
        (("--tolerance", "-1"), "tolerance is -1.0"),
        (("--change-points", "99999", "--history", "500"), "change point '99999' is not within the history"),
        (("--report", "no/such/folder/report.html"), "there is no folder"),
    ],
)
def test_wrong_options_are_refused_before_any_work(moving, arguments, says):
    before = moving.files()
    said = moving("backtest", *arguments)
    assert said.status == 2
    assert says in said.err
    assert "tip: " in said.err
    assert not (moving.files() - before) & {"homeostat-backtest.html"}


def test_a_train_function_that_raises_fails_the_backtest_with_one_error(moving):
    (moving.folder / "model.py").write_text("def train(data):\n    raise ValueError('no such thing')\n")
    moving.set("function: null", "function: model:train")
    said = moving("backtest", "--history", "500")
    assert said.status == 1
    assert "no such thing" in said.err
    assert said.err.count("error: ") == 1
    assert not (moving.folder / "homeostat-backtest.html").exists()
