"""The commands as a user meets them: what they print, where, and with which exit code."""

import json
import os
import subprocess
import sys

import polars as pl
import pytest
from tests.cli.lines import COMMANDS, read
from tests.cli.shell import shop

from homeostat.audit.log import verify
from homeostat.core.records.cycles import CycleState


def test_the_commands_are_all_there():
    found = {" ".join(path) for path in COMMANDS}
    assert found >= {
        "init", "train", "check", "retrain", "status", "up", "backtest",
        "project schema", "project show", "project check",
        "data commit", "data list", "data show", "data diff", "data contract",
        "data quarantine list", "data quarantine show", "data quarantine release", "data quarantine discard",
        "runs list", "runs show", "runs reproduce", "gate list", "gate show",
        "models list", "models show", "models card", "models promote", "models rollback", "models route", "models split",
        "cycles list", "cycles show", "cycles approve", "cycles refuse", "cycles cancel",
        "watch show", "audit list", "audit verify",
    }  # fmt: skip


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_every_command_and_option_says_what_it_is_for(shell, path):
    command = COMMANDS[path]
    told, *more = command.help.split("\n\n")
    assert told.rstrip().endswith(".")
    assert len(told.splitlines()[0]) <= 160
    if not hasattr(command, "commands"):
        example = more[-1].removeprefix("Example: ").strip()
        assert example.startswith("homeostat " + " ".join(path)), "the help ends with `Example: homeostat ...`"
        read(example)
    for parameter in command.params:
        assert parameter.help or parameter.name == "help", f"{parameter.name} has no help"
    said = shell.ok(*path, "--help")
    assert "Usage: homeostat " + " ".join(path) in said.out
    assert command.help.split()[0] in said.out


def test_help_does_not_import_what_is_heavy():
    code = (
        "import sys; from homeostat.cli.main import run; run(['--help']);"
        "print([m for m in ('polars', 'numpy', 'pandas', 'sqlalchemy', 'msgspec', 'rich', 'dbos') if m in sys.modules], file=sys.stderr)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stderr.strip() == "[]"


def test_what_supervises_for_long_holds_no_libraries_that_it_does_not_need():
    code = (
        "import sys, homeostat.cli.supervising, homeostat.cli.house, homeostat.app.up;"
        "print([m for m in ('typer', 'pydantic', 'rich', 'polars', 'sqlalchemy', 'dbos') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_an_idle_loop_holds_neither_the_tables_writer_nor_the_workflows():
    code = (
        "import sys, homeostat.app.loop, homeostat.app.wiring, homeostat.storage.records, homeostat.web.control;"
        "print([m for m in ('deltalake', 'pyarrow', 'dbos', 'pandas', 'sklearn', 'scipy') if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_wrong_usage_is_exit_code_2_with_a_tip(shell):
    said = shell("init", "a.csv")
    assert said.status == 2
    assert "--target" in said.err
    assert "tip: " in said.err
    assert shell("trian").status == 2
    assert "tip: `homeostat init --help` shows how" in said.err
    assert "tip: `homeostat models promote --help` shows how" in shell("models", "promote").err
    assert "did you mean 'models'" in shell("modles", "list").err.lower()


def test_without_a_project_every_command_names_init(shell):
    for arguments in (["status"], ["train"], ["data", "list"], ["models", "promote", "1"], ["backtest"], ["retrain"]):
        said = shell(*arguments)
        assert said.status == 3, arguments
        assert "no homeostat.yaml" in said.err
        assert "homeostat init" in said.err
    assert shell.files() == set()


def test_json_errors_are_json_on_stderr(shell):
    said = shell("--json", "status")
    assert (said.status, said.out) == (3, "")
    assert said.error["code"] == "not_found"
    assert "homeostat init" in said.error["hint"]


# -- init and project


def test_init_tells_what_it_found_and_the_next_step(shell):
    said = shell.init()
    for words in ("400 rows, 5 columns", "bought (binary", "visited, from 2024-01-01", "windows of", "wrote"):
        assert words in said.out
    assert "next: homeostat train" in said.err
    assert shell.ok("project", "check").out.startswith("homeostat.yaml is sound")
    assert shell.files() == {"shop.csv", "homeostat.yaml"}


def test_init_overwrites_only_with_force(shell):
    shell.init()
    path = shell.folder / "homeostat.yaml"
    before = path.read_text()
    said = shell("init", "shop.csv", "--target", "price")
    assert said.status == 6
    assert "--force" in said.err
    assert path.read_text() == before
    shell.ok("init", "shop.csv", "--target", "price", "--force")
    assert "task: regression" in path.read_text()


def test_project_check_names_a_column_that_is_not_there(shell):
    shell.init()
    shell.set("protected: []", "protected: [ago]")
    said = shell("project", "check")
    assert said.status == 2
    assert "gate.slices.protected" in said.err
    assert "did you mean 'age'" in said.err


def test_a_name_that_is_not_there_is_told_before_anything_begins(shell):
    shell.init()
    shell.set("detectors: [adwin]", "detectors: [adwn]")
    up = subprocess.run(
        [sys.executable, "-m", "homeostat", "up"], cwd=shell.folder, capture_output=True, text=True, check=False
    )
    said = [shell("project", "check"), shell("train"), shell("check"), shell("backtest")]
    for status, told in [(up.returncode, up.stderr), *((each.status, each.err) for each in said)]:
        assert status == 2
        assert "homeostat.yaml: watch.detectors: there is no detector 'adwn'" in told
        assert "did you mean 'adwin'" in told
    assert not (shell.folder / ".homeostat" / "tables").exists()


def test_project_show_gives_the_defaults_too_and_schema_is_json(shell):
    shell.init()
    assert "test_share: 0.2" in shell.ok("project", "show").out
    assert shell.ok("--json", "project", "show").json["train"]["timeout"] == "30min"
    assert json.loads(shell.ok("project", "schema").out)["title"] == "homeostat.yaml"


# -- data


def test_data_versions_grow_by_batches_and_never_by_the_same_twice(shell):
    shell.init()
    assert "no version yet" in shell.ok("data", "list").out
    assert "version 1: 400 rows" in shell.ok("data", "commit").out
    assert "nothing was added" in shell.ok("data", "commit").out
    shop(50, seed=3).write_csv(shell.folder / "more.csv")
    assert "version 2: 450 rows, 50 of them new" in shell.ok("data", "commit", "more.csv", "--by", "ann").out
    assert [v["rows"] for v in shell.ok("--json", "data", "list").json] == [400, 450]
    assert "rows: 400 -> 450" in shell.ok("data", "diff", "1", "2").out
    assert "price" in shell.ok("data", "show").out
    assert "allow_extra_columns" in shell.ok("data", "contract").out
    events = shell.ok("--json", "audit", "list", "--kind", "dataset.committed").json
    assert [event["actor"] for event in events][1:] == ["ann"]
    assert shell("data", "show", "7").status == 3
    assert shell("data", "diff", "1", "9").status == 3


def test_a_batch_in_quarantine_waits_for_a_named_person(shell):
    shell.init()
    shell.ok("data", "commit")
    bad = shop(50, seed=1).with_columns(price=pl.col("price") * 1000)
    bad.write_csv(shell.folder / "bad.csv")
    assert shell("data", "commit", "bad.csv").status == 1
    batch = shell.ok("--json", "data", "quarantine", "list").json[0]["batch_id"]
    shown = shell.ok("data", "quarantine", "show", batch)
    assert "price" in shown.out
    assert "range" in shown.out
    assert "release" in shown.err
    assert shell("data", "quarantine", "release", batch).status == 2
    assert shell("data", "quarantine", "release", batch, "--by", " ", "--reason", "x").status == 2
    assert (
        "version 2 now (50 rows)"
        in shell.ok("data", "quarantine", "release", batch, "--by", "ann", "--reason", "cents").out
    )
    assert shell("data", "quarantine", "discard", batch, "--by", "bob", "--reason", "no").status == 6
    assert shell("data", "quarantine", "show", "nonsense").status == 3
    bad.with_columns(price=-1e9).write_csv(shell.folder / "worse.csv")
    assert shell("data", "commit", "worse.csv").status == 1
    worse = shell.ok("--json", "data", "quarantine", "list").json[-1]["batch_id"]
    assert (
        "discarded by bob" in shell.ok("data", "quarantine", "discard", worse, "--by", "bob", "--reason", "broken").out
    )
    assert len(shell.ok("--json", "data", "list").json) == 2


# -- train, gate, models


def test_train_registers_what_passed_and_gives_it_no_traffic(trained):
    models = trained.ok("--json", "models", "list").json
    assert [(m["version"], m["aliases"], m["gate"]) for m in models] == [(1, "challenger", "passed")]
    with trained.store.read() as tx:
        assert tx.routes.all() == []
    refit, tested = (run["run_id"] for run in trained.ok("--json", "runs", "list").json)
    assert "test_log_loss" in trained.ok("runs", "show", tested[:8]).out
    assert f"run {tested}: its test rows" in trained.ok("runs", "show", refit[:8]).out
    assert f"refit of {tested[:12]}" in trained.ok("runs", "list").out
    for run in (refit, tested):
        assert "predictions agree" in trained.ok("runs", "reproduce", run[:8]).out
    shown = trained.ok("models", "show", "@challenger").out
    assert "bought" in shown
    assert "compiled" in shown
    card = trained.ok("models", "card", "1").out
    assert card.startswith("# shop, version 1")
    assert f"Of run `{tested}`, before it was trained again" in card
    assert "| test_log_loss |" in card
    assert "- sanity: finite: passed" in card
    assert verify(trained.store) > 0


def test_a_refit_is_judged_by_the_run_that_had_not_seen_its_test_rows(trained):
    refit, tested = (run["run_id"] for run in trained.ok("--json", "runs", "list").json)
    assert trained("--json", "check", refit).json["run_id"] == tested
    assert "version 1 is run" in trained.ok("models", "register", refit).out


def test_a_second_training_of_the_same_is_taken_from_the_cache_unless_told(trained):
    assert "nothing changed" in trained.ok("train").out
    assert "asked to train anew" in trained.ok("train", "--no-cache").out


def test_the_gate_stops_a_useless_model_and_says_where_to_look(shell):
    shell.init(shop().with_columns(pl.col("bought").shuffle(seed=1)))
    said = shell("train")
    assert said.status == 1
    assert "FAILED" in said.out
    assert "next: homeostat gate show" in said.err
    report = shell.ok("--json", "gate", "list").json[0]["report_id"]
    shown = shell.ok("gate", "show", report[:8], "--html", "gate.html")
    assert "baseline" in shown.out
    assert "<html" in (shell.folder / "gate.html").read_text().lower()
    assert shell.ok("--json", "models", "list").json == []
    assert shell("models", "promote", "1").status == 3
    run = shell.ok("--json", "runs", "list").json[0]["run_id"]
    shell.ok("models", "register", run[:10])
    refused = shell("models", "promote", "1")
    assert refused.status == 4
    assert "--force" in refused.err
    with shell.store.read() as tx:
        assert tx.models.alias("shop", "champion") is None
    shell.ok("models", "promote", "1", "--force", "a demonstration")
    moved = shell.ok("--json", "audit", "list", "--kind", "alias.moved").json
    assert moved[-1]["payload"]["force"] == "a demonstration"


def test_check_writes_a_report_and_registers_nothing(shell):
    shell.init()
    assert shell("check", "--report", "gate.md").status == 0
    assert "| baseline" in (shell.folder / "gate.md").read_text()
    assert shell.ok("--json", "models", "list").json == []
    run = shell.ok("--json", "runs", "list").json[0]["run_id"]
    shell.set("metrics: {}", "metrics: {roc_auc: {min: 0.9999}}")
    said = shell("--json", "check", run)
    assert said.status == 1
    assert said.json["passed"] is False
    assert shell("check", "abcdef12").status == 3
    assert shell("check", run, "--report", "no/such/folder.md").status == 2


def test_promotion_and_rollback_move_the_champion(trained):
    assert "champion" in trained.ok("models", "promote", "1").out
    assert trained("models", "rollback").status == 6
    trained.ok("train", "--no-cache")
    said = trained.ok("models", "promote", "challenger")
    assert "version 2 of shop is champion, in place of version 1" in said.out
    assert "next: homeostat up" in said.err
    assert "version 1 of shop is champion" in trained.ok("models", "rollback", "--reason", "second thoughts").out
    with trained.store.read() as tx:
        assert tx.models.alias("shop", "champion") == 1
        assert tx.routes.get("shop").champion == 1
    assert trained("models", "promote", "9").status == 3
    ruled = trained.ok("models", "route", "--segment", "channel=web@2", "--segment", "key=acme@2")
    assert "key=acme: version 2\nall else: version 1, the champion" in ruled.out
    assert trained.ok("--json", "models", "split", "1=30", "2=70").json["split"]["shares"] == {"1": 30.0, "2": 70.0}
    assert trained("models", "split", "1=30", "2=60").status == 2
    following = trained.ok("--json", "models", "split", "1=50", "2=50", "--policy", "thompson", "--floor", "0.1").json
    assert following["split"] == {
        "shares": {"1": 50.0, "2": 50.0},
        "policy": "thompson",
        "reward": "correct",
        "floor": 10.0,
    }
    assert trained("models", "split", "1=50", "2=50", "--policy", "thompson", "--floor", "0.6").status == 2
    assert trained("models", "split", "1=30", "7=70").status == 3
    assert trained("models", "route", "--segment", "pirce=3@2").status == 2
    assert trained.ok("models", "split").out.endswith("all else: version 1, the champion\n")
    assert trained.ok("models", "route").out == "everything: version 1, the champion\n"
    assert trained("models", "show", "shp@champion").status == 3
    assert trained.ok("--json", "models", "show").json["version"] == 1


# -- the loop


def test_status_says_in_words_that_there_is_no_model_yet(shell):
    shell.init()
    said = shell.ok("status")
    assert "no version is champion yet" in said.out
    assert "next: homeostat train" in said.err


def test_status_says_in_words_who_answers(trained):
    said = trained.ok("status")
    assert "no version is champion yet, and version 1 passed the gate" in said.out
    assert "next: homeostat up" in said.err
    trained.ok("models", "promote", "1")
    assert "version 1 answers; no server is up" in trained.ok("status").out
    assert trained.ok("--json", "status").json["models"][0]["champion"] == 1
    assert "\x1b" not in trained.ok("status").out


def test_a_cycle_by_hand_waits_for_a_server_and_can_be_called_off(shell):
    shell.init()
    assert "no cycle yet" in shell.ok("cycles", "list").out
    said = shell("retrain", "--wait")
    assert said.status == 5
    assert "homeostat up" in said.err
    assert shell.ok("--json", "cycles", "list").json == []
    said = shell.ok("retrain", "--because", "new prices", "--force", "we know")
    assert "new prices" in said.out
    assert "no server is up" in said.err
    cycle = shell.ok("--json", "cycles", "list").json[0]["cycle_id"]
    assert shell("retrain").status == 6
    assert shell("cycles", "approve", cycle[:8], "--by", "ann").status == 6
    assert shell("cycles", "refuse", cycle[:8], "--by", "ann").status == 2
    assert "asked to stop" in shell.ok("cycles", "cancel", cycle[:8], "--reason", "later").out
    assert "cycle.cancel_asked" in shell.ok("cycles", "show", cycle[:8]).out
    assert shell("cycles", "show", "nonsense").status == 3
    with shell.store.read() as tx:
        assert tx.cycles.get(cycle).state is CycleState.RUNNING


def test_watch_shows_windows_and_fails_a_check_where_the_newest_alarms(trained):
    from datetime import UTC, datetime, timedelta

    from homeostat.core.records.watching import WindowVerdict

    assert "no window was judged yet" in trained.ok("watch", "show", "--check").out
    drift = {
        "column": "price",
        "method": "psi",
        "effect": 0.4,
        "alarm": 0.2,
        "adjusted": 0.001,
        "rows": 100,
        "state": "alarm",
    }
    for i, state in enumerate(("alarm", "ok", "alarm")):
        start = datetime(2024, 1, 1 + i, tzinfo=UTC)
        body = {
            "version": 1, "rows": 100, "labelled": 90,
            "verdict": {"summary": f"window {i}", "causes": [{"kind": "drift", "because": "price moved"}], "columns": [drift]},
        }  # fmt: skip
        verdict = WindowVerdict(
            model="shop",
            window_start=start,
            window_end=start + timedelta(days=1),
            revision=0,
            computed=start,
            state=state,
            body=body,
        )
        with trained.store.write() as tx:
            tx.watch.add(verdict)
        assert trained("watch", "show", "--check").status == (1 if state == "alarm" else 0)
    said = trained.ok("watch", "show", "--last", "2")
    assert "window 2" in said.out
    assert "psi" in said.out
    assert len(trained.ok("--json", "watch", "show", "--last", "2").json) == 2


def test_a_true_process_prints_results_to_stdout_and_the_rest_to_stderr(shell):
    shell.init()
    said = subprocess.run(
        [sys.executable, "-m", "homeostat", "--json", "data", "commit"],
        capture_output=True, text=True, cwd=shell.folder, env={**os.environ, "HOMEOSTAT_JSON": "0"}, check=False,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["version"] == 1
    said = subprocess.run(
        [sys.executable, "-m", "homeostat", "models", "show"],
        capture_output=True,
        text=True,
        cwd=shell.folder,
        check=False,
    )
    assert said.returncode == 3
    assert said.stdout == ""
    assert said.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [("HOMEOSTAT_LOG", "loud", "names no level: 'LOUD'"), ("HOMEOSTAT_DATABASE", "my.db", "is no database URL")],
)
def test_wrong_environment_variables_are_named(shell, monkeypatch, name, value, says):
    shell.init()
    monkeypatch.setenv(name, value)
    said = shell("status")
    assert said.status == 2
    assert f"{name} {says}" in said.err
