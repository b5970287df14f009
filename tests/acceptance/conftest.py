import pytest
from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd) -> Shell:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOMEOSTAT_PROJECT", raising=False)
    monkeypatch.delenv("HOMEOSTAT_DATABASE", raising=False)
    return Shell(folder=folder, capfd=capfd, monkeypatch=monkeypatch)
