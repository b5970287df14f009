import pytest
from tests.acceptance.site import Site, wait_until
from tests.cli.shell import Shell


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd) -> Shell:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("HOMEOSTAT_PROJECT", raising=False)
    monkeypatch.delenv("HOMEOSTAT_DATABASE", raising=False)
    return Shell(folder=folder, capfd=capfd, monkeypatch=monkeypatch)


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A project with a champion, its server stopped: each test goes on from a copy of it."""
    site = Site(tmp_path_factory.mktemp("made") / "project")
    try:
        site.up()
        wait_until(lambda: site.champion() == 1, "the first model")
        site.rest()
    finally:
        site.close()
    return site
