"""Versions change under load: no request fails, none waits much longer, and the workers stay as small as they were."""

import time
from dataclasses import dataclass, field

import pytest
from tests.acceptance.load import Load, Met
from tests.acceptance.site import MODEL, Site, copy_of, wait_until

from homeostat.app.making import make
from homeostat.app.promoting import promote, roll_back

ROW = {"a": 0.25, "b": "x"}


@dataclass
class Swapping:
    """A site with two versions, and when each change was asked for and acknowledged."""

    site: Site
    load: Load
    asked: list[tuple[str, int, float, float]] = field(default_factory=list)

    def promote(self, version: int) -> None:
        self._change("promote", version, lambda: promote(self.site.house, str(version), force="a test"))

    def roll_back(self, to: int) -> None:
        self._change("roll back", to, lambda: roll_back(self.site.house, reason="a test"))

    def _change(self, what, version, change) -> None:
        began = time.monotonic()
        moved = change()
        assert moved.champion == version
        assert len(moved.workers) == self.site.workers
        self.asked.append((what, version, began, time.monotonic()))


@pytest.fixture(scope="session", params=["process", pytest.param("compiled", marks=pytest.mark.long)])
def two_versions(request, tmp_path_factory):
    """A project with two versions that passed the gate, the first one champion; no server was started yet."""
    site = Site(tmp_path_factory.mktemp(request.param) / "project", workers=2)
    if request.param == "compiled":
        project = site.root / "homeostat.yaml"
        project.write_text(
            project.read_text().replace('function: "model:train", ', "").replace("seconds: 0.3", "max_iter: 20")
        )
    for _ in range(2):
        made = make(site.house, use_cache=False)
        assert made.version is not None, made.report
    promote(site.house, "1", force=None)
    site.close()
    return site


@pytest.fixture
def site(two_versions, tmp_path):
    copied = copy_of(two_versions, tmp_path / "project")
    yield copied
    copied.close()


def nothing_failed(met: list[Met]) -> None:
    failed = [each for each in met if each.status != 200]
    assert not failed, f"{len(failed)} of {len(met)} failed, first {failed[0]}"


def acknowledged_means_switched(swapping: Swapping, met: list[Met]) -> None:
    """Fail where a request that left after the acknowledgement was answered by the version before."""
    for i, (what, version, _, done) in enumerate(swapping.asked):
        until = swapping.asked[i + 1][2] if i + 1 < len(swapping.asked) else float("inf")
        between = {each.version for each in met if done < each.at and each.answered_at < until}
        assert between <= {version}, f"{what} to {version}, then answers of {between}"


def test_swaps_under_load_fail_no_request(site, tmp_path):
    site.up()
    with Load(site.port, f"/models/{MODEL}/predict", {"rows": [ROW]}, tmp_path / "met.jsonl", rate=100.0) as load:
        wait_until(lambda: len(load.met()) > 50, "answers")
        swapping = Swapping(site, load)
        for _ in range(3):
            swapping.promote(2)
            swapping.roll_back(1)
        met = load.stop()
    print([(what, round(done - began, 3)) for what, _, began, done in swapping.asked])
    nothing_failed(met)
    acknowledged_means_switched(swapping, met)
