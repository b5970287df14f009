"""Processes of the serving plane are killed, and versions crash, hang and leak, while clients ask: who has nothing to do with it notices nothing."""

import os
import random
import signal
import time
from collections import Counter

import psutil
import pytest
from tests.acceptance.load import Load, Met, quantile
from tests.acceptance.site import MODEL, Site, copy_of, wait_until

from homeostat.app.making import make
from homeostat.app.promoting import promote
from homeostat.app.route_rules import set_segments
from homeostat.app.status import status
from homeostat.core.errors import CheckFailed
from homeostat.registry.health import why_unhealthy
from homeostat.serve.hosts.fence import FENCED_AFTER

PATH = f"/models/{MODEL}/predict"
ROW = {"a": 0.25, "b": "x"}
DEADLY = {**ROW, "a": 3.0}
SHORT = [1]
WORKER, MODEL_PROCESS = "app.inference", "serve.hosts.child"
UNDER_WAY_S = 0.5  # a client learns a moment later that its connection is gone


@pytest.fixture
def site(two_versions, tmp_path):
    copied = copy_of(two_versions, tmp_path / "project")
    yield copied
    copied.close()


def every_answer_is_recorded(site: Site, met: list[Met]) -> None:
    recorded = site.house.records.read("predictions", MODEL)
    kept = dict(recorded.filter(recorded["route"] != "shadow").select("request_id", "version").iter_rows())
    missing = [each for each in met if each.status == 200 and kept.get(each.request_id) != each.version]
    assert not missing, f"{len(missing)} of {len(met)} answers are not recorded, first {missing[0]}"


def listens(pid: int, port: int) -> bool:
    try:
        found = psutil.Process(pid).net_connections("tcp")
    except psutil.Error:  # it is gone
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == port for each in found)


def all_serve(site: Site, *, but: int | None = None) -> bool:
    """Return whether every worker has its model's process and listens: else a kill may leave nobody. `but`: who was killed."""
    workers, models = site.pids(WORKER), site.pids(MODEL_PROCESS)
    is_whole = but not in workers | models and len(workers) == len(models) == site.workers
    return is_whole and all(listens(worker, site.port) for worker in workers)


def kill_and_await(site: Site, load: Load, rng: random.Random, deaths: Counter[int]) -> float:
    """Kill -9 a worker or a model's process at a moment of chance, and return when; wait until there is another in its place.

    `deaths`: of each worker's model process. The worker itself is killed instead of a process that it would give up.
    """
    who, delay = rng.choice([WORKER, MODEL_PROCESS]), rng.random()
    began = time.monotonic()
    wait_until(lambda: time.monotonic() - began >= delay, "the moment")
    pid = rng.choice(sorted(site.pids(who)))
    if who == MODEL_PROCESS:
        workers = site.pids(WORKER)
        worker = next(each.pid for each in psutil.Process(pid).parents() if each.pid in workers)
        deaths[worker] += 1
        if deaths[worker] == FENCED_AFTER:
            who, pid = WORKER, worker
    killed = time.monotonic()
    os.kill(pid, signal.SIGKILL)

    wait_until(lambda: all_serve(site, but=pid), f"another process in the place of {pid}")
    print(f"  {who} {pid} killed after {delay:.2f} s, replaced after {time.monotonic() - killed:.2f} s")
    ready = time.monotonic()
    wait_until(lambda: sum(each.status == 200 and each.at > ready for each in load.met()) > 20, "answers")
    return killed


def play(site: Site, out, *, seed: int, kills: int) -> None:
    print(f"seed {seed}")
    rng = random.Random(seed)
    site.up()
    # of one row for all, the process that is killed twice over it would be its doing
    different = [{"rows": [{**ROW, "a": n / 1000}]} for n in range(1000)]
    with Load(site.port, PATH, different, out, rate=100.0) as load:
        wait_until(lambda: len(load.met()) > 50, "answers")
        wait_until(lambda: all_serve(site), "every worker")
        deaths: Counter[int] = Counter()
        killed = [kill_and_await(site, load, rng, deaths) for _ in range(kills)]
        met = load.stop()
    failed = [each for each in met if each.status != 200]
    print(f"  {len(met)} requests, {len(failed)} failed, longest {max(each.latency_s for each in met):.2f} s")
    for each in failed:
        assert each.status in (0, 503), each
        assert (each.retry_after is None) == (each.status == 0), each
        assert any(each.at < at + UNDER_WAY_S and each.answered_at > at - UNDER_WAY_S for at in killed), each
    every_answer_is_recorded(site, met)


@pytest.mark.parametrize("seed", SHORT)
def test_a_killed_process_costs_only_what_it_had_in_hand(site, tmp_path, seed):
    play(site, tmp_path / "met.jsonl", seed=seed, kills=2)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [100, 101])
def test_many_kills_at_random(site, tmp_path, seed):
    play(site, tmp_path / "met.jsonl", seed=seed, kills=20)


FAULTY = """
import os
import time
import numpy as np
import model

class Crashes(model.Rule):
    def predict_proba(self, X):
        if (X["a"] > 2).any():
            os._exit(7)
        return super().predict_proba(X)

class Hangs(model.Rule):
    def predict_proba(self, X):
        if (X["a"] > 2).any():
            time.sleep(600)
        return super().predict_proba(X)

class Leaks(model.Rule):
    def predict_proba(self, X):
        self.__dict__.setdefault("kept", []).append(np.ones(1_000_000))
        return super().predict_proba(X)

def crashes(data):
    rule = model.train(data)
    return Crashes(rule.low, rule.high)

def hangs(data):
    rule = model.train(data)
    return Hangs(rule.low, rule.high)

def leaks(data):
    rule = model.train(data)
    return Leaks(rule.low, rule.high)
"""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("crashes", "exit code 7"),
        pytest.param("hangs", "hung and was killed", marks=pytest.mark.long),
        pytest.param("leaks", "MB of memory", marks=pytest.mark.long),
    ],
)
def test_a_champion_that_fails_is_fenced_and_rolled_back_and_the_other_version_never_notices(
    site, tmp_path, fault, told
):
    """Two clients: the segment `other` is version 1's; all else is the champion's, which fails on the second client's rows."""
    project = site.root / "homeostat.yaml"
    project.write_text(project.read_text().replace("drain: 2s", "drain: 2s, timeout: 6s, memory: 600MB"))
    (site.root / "faulty.py").write_text(FAULTY)
    bad = make(site.house, function=f"faulty:{fault}").version.version
    set_segments(site.house, ["key=other@1"], because="a test", force=None)
    site.up()
    other = Load(site.port, PATH, {"rows": [ROW], "key": "other"}, tmp_path / "other.jsonl", rate=50.0)
    # one request alone would be refused, not the version
    different = [{"rows": [{**DEADLY, "a": 3.0 + n}]} for n in range(100)]
    hit = Load(site.port, PATH, different, tmp_path / "hit.jsonl", rate=50.0)
    with other:
        wait_until(lambda: len(other.met()) > 200, "answers")
        promoted = time.monotonic()
        promote(site.house, str(bad), force="a test")
        with hit:  # such rows were not there to warm it up with
            wait_until(lambda: site.champion() == 1, "the roll-back", seconds=240)
            back = time.monotonic()
            wait_until(
                lambda: any(each.at > back and each.version == 1 for each in hit.met()), "the champion's answers"
            )
            answered, asked = other.stop(), hit.stop()
    print(f"{fault}: rolled back {back - promoted:.1f} s after the promotion")
    with site.house.store.read() as tx:
        (unhealthy,) = tx.audit.events(kinds=["model_version.unhealthy"])
        (rolled_back,) = tx.audit.events(kinds=["alias.rolled_back"])
    assert told in unhealthy.payload["because"]
    assert (unhealthy.payload["version"], rolled_back.payload["from"], rolled_back.payload["to"]) == (bad, bad, 1)
    assert told in why_unhealthy(site.house.store, model=MODEL, version=bad)

    refused = [each for each in asked if each.status != 200]
    print(f"  of {len(asked)} requests {len(refused)} were refused: {sorted({each.status for each in refused})}")
    # 500: a request that surely ends the process
    assert {each.status for each in refused} <= {500, 503, 429}
    assert any(each.status == 503 for each in refused)
    assert all((each.retry_after is None) == (each.status == 500) for each in refused)
    assert {each.version for each in asked if each.status == 200} <= {1, bad}
    assert [each.version for each in asked if each.at > back + 2.0 and each.status == 200] == [
        1 for each in asked if each.at > back + 2.0 and each.status == 200
    ]

    assert {(each.status, each.version) for each in answered} == {(200, 1)}
    calm = [each.latency_s for each in answered if each.at < promoted]
    during = [each.latency_s for each in answered if promoted <= each.at < back]
    for name, found in (("before", calm), ("during", during)):
        print(
            f"  the other version {name}: p99 {1e3 * quantile(found, 0.99):.1f} ms, longest {1e3 * max(found):.1f} ms"
        )
    # who waits for a version that is down most of the time, and hangs for 6 s, waits often and long; a busy machine stalls now and then
    assert quantile(during, 0.9) < 1.0, "it waited for the version that failed"
    assert quantile(during, 0.99) < 3.0, "it waited for the version that failed"
    every_answer_is_recorded(site, answered + asked)


@pytest.mark.long
def test_a_version_that_dies_on_the_rows_of_today_is_refused_and_no_request_notices(site, tmp_path):
    (site.root / "faulty.py").write_text(FAULTY)
    bad = make(site.house, function="faulty:crashes").version.version
    site.up()
    # one in 64 requests is kept to warm the next version up, by each worker
    with Load(site.port, PATH, {"rows": [DEADLY]}, tmp_path / "met.jsonl", rate=50.0) as load:
        wait_until(lambda: len(load.met()) > 100, "answers")
        with pytest.raises(
            CheckFailed, match=r"was not put to work: it failed its warm-up .*exit code 7.*; version 1 answers"
        ):
            promote(site.house, str(bad), force="a test")
        met = load.stop()
    assert {(each.status, each.version) for each in met} == {(200, 1)}
    with site.house.store.read() as tx:
        (unhealthy,) = tx.audit.events(kinds=["model_version.unhealthy"])
    assert "on rows of recent requests: its process died (exit code 7)" in unhealthy.payload["because"]
    assert site.champion() == 1
    assert f"given up: version {bad}: it failed its warm-up" in status(site.house)[0].sentence
    every_answer_is_recorded(site, met)
