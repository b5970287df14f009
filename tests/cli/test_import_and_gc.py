"""The commands that need no project."""

import sqlite3

import pytest
from tests.cli.shell import Shell


@pytest.fixture
def theirs(tmp_path):
    """A database as an old MLflow left it, with the least that one has."""
    path = tmp_path / "mlflow.db"
    db = sqlite3.connect(path)
    db.executescript("""
        CREATE TABLE experiments (experiment_id INTEGER, name TEXT, artifact_location TEXT, lifecycle_stage TEXT,
            creation_time BIGINT, last_update_time BIGINT);
        CREATE TABLE runs (run_uuid TEXT, name TEXT, user_id TEXT, status TEXT, start_time BIGINT, end_time BIGINT,
            lifecycle_stage TEXT, artifact_uri TEXT, experiment_id INTEGER);
        CREATE TABLE metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
        CREATE TABLE latest_metrics (key TEXT, value FLOAT, timestamp BIGINT, run_uuid TEXT, step BIGINT, is_nan BOOLEAN);
        CREATE TABLE params (key TEXT, value TEXT, run_uuid TEXT);
        CREATE TABLE tags (key TEXT, value TEXT, run_uuid TEXT);
        INSERT INTO experiments VALUES (0, 'Default', './mlruns/0', 'active', NULL, NULL);
        INSERT INTO experiments VALUES (7, 'sales', './mlruns/7', 'active', 1600000000000, 1600000000000);
        INSERT INTO runs VALUES ('0123456789abcdef0123456789abcdef', NULL, 'bob', 'FINISHED', 1600000000000, 1600000001000,
            'active', './mlruns/7/0123456789abcdef0123456789abcdef/artifacts', 7);
        INSERT INTO metrics VALUES ('auc', 0.5, 1600000000000, '0123456789abcdef0123456789abcdef', 0, 0);
        INSERT INTO metrics VALUES ('auc', 0.75, 1600000000500, '0123456789abcdef0123456789abcdef', 1, 0);
        INSERT INTO latest_metrics VALUES ('auc', 0.75, 1600000000500, '0123456789abcdef0123456789abcdef', 1, 0);
        INSERT INTO params VALUES ('depth', '3', '0123456789abcdef0123456789abcdef');
        INSERT INTO tags VALUES ('mlflow.runName', 'old', '0123456789abcdef0123456789abcdef');
    """)
    db.close()
    folder = tmp_path / "mlruns" / "7" / "0123456789abcdef0123456789abcdef" / "artifacts"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"123")
    return path


def test_an_old_database_comes_over_without_a_project(shell: Shell, theirs):
    said = shell.ok("import", "mlflow", "--from", theirs)
    assert "the counts agree" in said.out
    with shell.store.read() as tx:
        run = tx.runs.get("0123456789abcdef0123456789abcdef")
        assert (run.name, run.user, run.params, run.metrics) == ("old", "bob", {"depth": "3"}, {"auc": 0.75})
        assert run.experiment_id == "7"
    found = list((shell.folder / ".homeostat" / "blobs").rglob("model.bin"))
    assert [path.read_bytes() for path in found] == [b"123"]


def test_the_counts_are_there_as_json(shell: Shell, theirs):
    found = shell.ok("--json", "import", "mlflow", "--from", theirs).json
    assert found["agrees"] is True
    assert found["here"]["metric points"] == found["source"]["metric points"] == 2


def test_what_cannot_be_read_fails_the_command(shell: Shell, theirs):
    db = sqlite3.connect(theirs)
    db.execute("UPDATE runs SET artifact_uri = 's3://bucket/x'")
    db.commit()
    db.close()
    said = shell("import", "mlflow", "--from", theirs)
    assert said.status == 1
    assert "do NOT agree" in said.out
    assert "s3://" in said.out


def test_a_store_that_is_not_there_is_not_found(shell: Shell):
    assert shell("import", "mlflow", "--from", "nowhere.db").status == 3


def test_gc_says_what_would_go_and_then_frees_it(shell: Shell, theirs):
    shell.ok("import", "mlflow", "--from", theirs)
    run_id = "0123456789abcdef0123456789abcdef"
    store = shell.store
    with store.write() as tx:
        tx.runs.set_stage([run_id], "deleted", now=tx.runs.get(run_id).started)
    store.close()
    planned = shell.ok("gc", "--dry-run")
    assert "would go: 1 runs" in planned.out
    assert "homeostat gc" in planned.err
    done = shell.ok("--json", "gc", "--older-than", "30d").json
    assert (done["runs"], done["files"], done["size_bytes"]) == ([run_id], 1, 3)
    assert not list((shell.folder / ".homeostat" / "blobs").rglob("model.bin"))
    assert "gone: 0 runs" in shell.ok("gc").out


def test_an_age_that_is_none_is_refused(shell: Shell):
    assert shell("gc", "--older-than", "soon").status == 2
