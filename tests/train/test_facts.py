import os
import subprocess

import polars as pl
import pytest

from homeostat.train.facts import code_of, environment_fact, hardware_fact, packages, rows_digest


def _git(root, *arguments):
    identity = {
        "GIT_AUTHOR_NAME": "a",
        "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a",
        "GIT_COMMITTER_EMAIL": "a@b",
    }
    subprocess.run(
        ["git", "-C", str(root), *arguments], check=True, capture_output=True, env={**os.environ, **identity}
    )


@pytest.fixture
def repo(tmp_path):
    _git(tmp_path, "init", "-q")
    (tmp_path / "model.py").write_text("LIMIT = 1\n")
    _git(tmp_path, "add", ".")
    _git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_a_clean_tree_has_a_commit_and_no_diff(repo):
    code = code_of(repo, function="model:train")
    assert len(code.commit) == 40
    assert code.diff == ""
    assert code.fact()["is_dirty"] is False


def test_changes_and_new_files_are_in_the_diff_and_in_the_digest(repo):
    clean = code_of(repo, function="model:train")
    (repo / "model.py").write_text("LIMIT = 2\n")
    changed = code_of(repo, function="model:train")
    assert "+LIMIT = 2" in changed.diff
    (repo / "helper.py").write_text("X = 3\n")
    added = code_of(repo, function="model:train")
    assert "new file: helper.py\nX = 3" in added.diff
    assert len({clean.digest, changed.digest, added.digest}) == 3
    assert clean.commit == added.commit
    assert added.fact()["diff_digest"] != changed.fact()["diff_digest"]


def test_the_default_trainer_does_not_depend_on_the_users_files(repo):
    before = code_of(repo, function=None)
    (repo / "model.py").write_text("LIMIT = 2\n")
    assert code_of(repo, function=None).digest == before.digest


def test_outside_of_git_the_digest_still_tells_changes(tmp_path):
    (tmp_path / "model.py").write_text("LIMIT = 1\n")
    before = code_of(tmp_path, function="model:train")
    assert (before.commit, before.diff) == (None, "")
    (tmp_path / "model.py").write_text("LIMIT = 2\n")
    assert code_of(tmp_path, function="model:train").digest != before.digest


def test_hidden_folders_and_virtual_environments_are_no_code(tmp_path):
    before = code_of(tmp_path, function="model:train")
    for folder in (".hidden", "env", "site-packages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.py").write_text("1")
    (tmp_path / "env" / "pyvenv.cfg").write_text("")
    assert code_of(tmp_path, function="model:train").digest == before.digest


def test_environment_and_hardware_are_told():
    assert any(name.startswith("polars==") for name in packages())
    assert environment_fact()["packages"] == len(packages())
    assert hardware_fact()["cores"] >= 1
    assert hardware_fact()["memory_bytes"] > 10**8


@pytest.mark.parametrize(
    "other",
    [
        pl.DataFrame({"a": [2, 1], "b": ["x", "y"]}),
        pl.DataFrame({"a": [1, 2], "c": ["x", "y"]}),
        pl.DataFrame({"b": ["x", "y"], "a": [1, 2]}),
        pl.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]}),
        pl.DataFrame({"a": [1], "b": ["x"]}),
        pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
        pl.DataFrame(),
    ],
)
def test_rows_have_another_digest_when_anything_differs(other):
    frame = pl.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert rows_digest(frame) == rows_digest(pl.concat([frame[:1], frame[1:]]))
    assert rows_digest(frame) != rows_digest(other)
