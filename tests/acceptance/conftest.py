import pytest
from tests.acceptance.site import Site, wait_until
from tests.cli.shell import Shell, shell_in

from homeostat.app.making import make
from homeostat.app.promoting import promote


@pytest.fixture
def shell(tmp_path, monkeypatch, capfd) -> Shell:
    return shell_in(tmp_path / "project", monkeypatch, capfd)


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


def with_two_versions(site: Site) -> Site:
    """Return the site with two versions that passed the gate, the first one champion; no server was started yet."""
    for _ in range(2):
        made = make(site.house, use_cache=False)
        assert made.version is not None, made.report
    promote(site.house, "1", force=None)
    site.close()
    return site


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory):
    return with_two_versions(Site(tmp_path_factory.mktemp("two") / "project", workers=2))


@pytest.fixture(scope="session")
def two_compiled_versions(tmp_path_factory):
    site = Site(tmp_path_factory.mktemp("compiled") / "project", workers=2)
    project = site.root / "homeostat.yaml"
    default = project.read_text().replace('function: "model:train", ', "").replace("seconds: 0.3", "max_iter: 20")
    project.write_text(default)
    return with_two_versions(site)
