import shutil

import pytest
from tests.cli.shell import Shell, Unheard


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd) -> Shell:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOMEOSTAT_PROJECT", raising=False)
    monkeypatch.delenv("HOMEOSTAT_DATABASE", raising=False)
    return Shell(folder=folder, capfd=capfd, monkeypatch=monkeypatch)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """The folder of a project with a version that passed the gate; trained for the first test that asks, copied for each."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        monkeypatch.delenv("HOMEOSTAT_PROJECT", raising=False)
        monkeypatch.delenv("HOMEOSTAT_DATABASE", raising=False)
        made = Shell(folder=folder, capfd=Unheard(), monkeypatch=monkeypatch)
        made.init()
        made.ok("train")
    return folder


@pytest.fixture
def trained(shell, trained_once):
    """A project with a version that passed the gate."""
    shutil.copytree(trained_once, shell.folder, dirs_exist_ok=True)
    return shell
