"""Versions change under load: no request fails, none waits much longer, and the workers stay as small as they were."""

import time
from dataclasses import dataclass, field

import psutil
import pytest
from tests.acceptance.load import Load, Met, quantile
from tests.acceptance.site import MODEL, Site, copy_of, wait_until

from homeostat.app.promoting import promote, roll_back
from homeostat.registry.routing import send_traffic, take_back
from homeostat.registry.workers import await_workers

ALLOWANCE_S = 0.010  # beside twice the steady p99: a millisecond or two on an idle machine
DRAIN_S = 1.0  # after an acknowledgement, in which the version before ends
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


@pytest.fixture(params=["process", pytest.param("compiled", marks=pytest.mark.long)])
def kind(request):
    return request.param


@pytest.fixture
def site(kind, request, tmp_path):
    made = request.getfixturevalue("two_versions" if kind == "process" else "two_compiled_versions")
    copied = copy_of(made, tmp_path / "project")
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


def test_a_roll_back_is_in_effect_within_seconds_of_its_decision(site, tmp_path):
    site.up()
    decided: list[tuple[str, float, float]] = []
    store, clock = site.house.store, site.house.clock
    who = {"store": store, "model": MODEL, "actor": "ann"}

    def followed(route) -> None:
        found = await_workers(store, clock=clock, model=MODEL, generation=route.generation, pause=time.sleep)
        assert len(found) == site.workers

    with Load(site.port, f"/models/{MODEL}/predict", {"rows": [ROW]}, tmp_path / "met.jsonl", rate=100.0) as load:
        wait_until(lambda: len(load.met()) > 50, "answers")
        swapping = Swapping(site, load)
        for turn in range(3):
            swapping.promote(2)
            began = time.monotonic()
            swapping.roll_back(1)
            decided.append(("champion", began, time.monotonic()))
            followed(send_traffic(**who, now=clock.now(), canary=2, canary_percent=50.0, force="a test"))
            begun = time.monotonic()
            wait_until(
                lambda since=begun: any(each.version == 2 and each.at > since for each in load.met()),
                "the canary's answers",
            )
            began = time.monotonic()
            followed(take_back(**who, version=2, now=clock.now(), reason="a test", key=f"test:{turn}"))
            decided.append(("canary", began, time.monotonic()))
        met = load.stop()
    nothing_failed(met)
    for what, began, done in decided:
        last = max(
            (each.answered_at for each in met if each.version == 2 and began < each.answered_at < done + 0.2),
            default=began,
        )
        print(f"{what}: last answer {last - began:.3f} s after the decision, acknowledged after {done - began:.3f} s")
        assert last - began < 5.0


def latencies(swapping: Swapping, met: list[Met], quiet: list[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return those of requests that left while nothing changed, and of those that left while something did or had just done."""
    changes = [(began, done + DRAIN_S) for _, _, began, done in swapping.asked]
    steady = [each.latency_s for each in met if any(begin <= each.at < end for begin, end in quiet)]
    moving = [each.latency_s for each in met if any(begin <= each.at < end for begin, end in changes)]
    return steady, moving


def settled_memory(site: Site, children: int) -> list[int]:
    """Return the bytes that are each worker's own (its models' processes and what forks them included), once it has as many as it needs."""

    def settled():
        models = site.pids("serve.hosts.child")
        try:
            trees = [
                [worker := psutil.Process(pid), *worker.children(recursive=True)]
                for pid in sorted(site.pids("app.inference"))
            ]
            if [sum(each.pid in models for each in tree) for tree in trees] != [children] * site.workers:
                return None
            return [sum(each.memory_full_info().uss for each in tree) for tree in trees]
        except psutil.Error:  # one of them is ending
            return None

    return wait_until(settled, "the end of what was replaced")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_a_hundred_swaps_cost_no_request_hardly_any_latency_and_no_memory(site, kind, tmp_path):
    children = 1 if kind == "process" else 0
    site.up()
    quiet = []
    with Load(site.port, f"/models/{MODEL}/predict", {"rows": [ROW]}, tmp_path / "met.jsonl") as load:
        wait_until(lambda: len(load.met()) > 50, "answers")
        swapping = Swapping(site, load)
        for turn in range(11):
            for _ in range(5):
                swapping.promote(2)
                swapping.roll_back(1)
            used = settled_memory(site, children)
            if turn == 0:
                swapping.asked.clear()
                warm = used
                print(f"memory after ten changes: {[each >> 20 for each in warm]} MB")
            began = time.monotonic()
            wait_until(lambda since=began: time.monotonic() - since > 1.0 + DRAIN_S, "the end of a drain")
            begin = time.monotonic()
            wait_until(lambda since=begin: time.monotonic() - since > 5.0, "a quiet time")
            quiet.append((begin, time.monotonic()))
        met = load.stop()
    steady, moving = latencies(swapping, met, quiet)
    took = sorted(done - began for _, _, began, done in swapping.asked)
    print(f"{len(took)} changes, median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s")
    for name, found in (("steady", steady), ("while changing", moving)):
        told = ", ".join(f"p{100 * q:g} {1e3 * quantile(found, q):.1f} ms" for q in (0.5, 0.99, 0.999))
        print(f"{name}: {len(found)} requests, {told}, longest {1e3 * max(found):.1f} ms")
    print(f"memory at the end: {[each >> 20 for each in used]} MB")
    nothing_failed(met)
    acknowledged_means_switched(swapping, met)
    assert quantile(moving, 0.99) <= 2 * quantile(steady, 0.99) + ALLOWANCE_S
    assert max(used) <= 1.1 * max(warm)
