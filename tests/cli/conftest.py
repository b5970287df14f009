import shutil

import pytest
from tests.cli.shell import Shell, Unheard, shell_in


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd) -> Shell:
    return shell_in(tmp_path / "project", monkeypatch, capfd)


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """The folder of a project with a version that passed the gate; trained for the first test that asks, copied for each."""
    folder = tmp_path_factory.mktemp("trained") / "project"
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = shell_in(folder, monkeypatch, Unheard())
        made.init()
        made.ok("train")
    return folder


@pytest.fixture
def trained(shell, trained_once):
    """A project with a version that passed the gate."""
    shutil.copytree(trained_once, shell.folder, dirs_exist_ok=True)
    return shell
