"""Two process trees, as on two machines: own ports and state folders, one PostgreSQL, one bucket, shared folders for record and tables."""

import json
import os
import shutil
import signal
import time
from datetime import timedelta

import psutil
import pytest
from tests.acceptance.site import MODEL, Client, Site, Witness, get, nothing_is_lost, promoted_at_most_once, wait_until
from tests.storage.test_blobs_object import make_bucket, s3  # noqa: F401 - a fixture

from homeostat.app.node import node_of
from homeostat.app.promoting import roll_back
from homeostat.core.records.cycles import CycleState

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@pytest.fixture
def trees(tmp_path, monkeypatch, postgres, s3):  # noqa: F811
    """Two trees that are up, the first of which leads the loop and has made the first champion."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }.items():
        monkeypatch.setenv(name, value)
    shared = {
        "HOMEOSTAT_DATABASE": postgres.fresh(),
        "HOMEOSTAT_ARTIFACTS": f"s3://{make_bucket(s3)}/models",
        "HOMEOSTAT_RECORDS": str(tmp_path / "shared" / "records"),
        "HOMEOSTAT_TABLES": str(tmp_path / "shared" / "tables"),
    }
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    first = Site(tmp_path / "one", environment=shared)
    (tmp_path / "two").mkdir()
    shutil.copy(first.root / "history.parquet", tmp_path / "two")
    second = Site(tmp_path / "two", environment=shared)
    for site in (first, second):
        site.roll_back_nothing()
    try:
        first.up("--workers", "2")
        wait_until(lambda: first.champion() == 1, "the first model")
        second.up("--workers", "2")
        first.rest()
        wait_until(lambda: answered_by(first) == answered_by(second) == 1, "version 1 on both machines")
        yield first, second
    except AssertionError:
        print(first.log(), second.log(), sep="\n----\n")
        raise
    finally:
        for site in (first, second):
            for pid in site.processes():
                with_signal(pid, signal.SIGCONT)
            site.close()


def with_signal(pid: int, number: int) -> None:
    if psutil.pid_exists(pid):
        os.kill(pid, number)


def answered_by(site: Site) -> int | None:
    row = {"t": "2026-01-01T00:00:00Z", "a": 0.1, "b": "x"}
    status, body = get(site.port, f"/models/{MODEL}/predict", method="POST", body={"rows": [row]})
    return json.loads(body)["version"] if status == 200 else None


def loop_of(site: Site) -> str:
    status, body = get(site.control_port, "/health")
    return json.loads(body)["loop"] if status == 200 else ""


def live_workers(site: Site) -> set[str]:
    house = site.house
    with house.store.read() as tx:
        return {one.worker_id for one in tx.routes.workers(alive_since=house.clock.now() - timedelta(seconds=5))}


def workers_of(*sites: Site) -> set[str]:
    return {f"worker-{n}-{node_of(site.house.place)}" for site in sites for n in range(2)}


def taken_over(site: Site) -> bool:
    return "loop.taken_over" in site.kinds()


@pytest.mark.parametrize("stage", ["train", "canary 50%"])
def test_a_machine_that_is_lost_in_the_middle_of_a_cycle_costs_nothing_that_was_acknowledged(trees, stage):
    lost, left = trees
    assert (loop_of(lost), loop_of(left)) == ("running", "standing by")
    wait_until(lambda: live_workers(left) == workers_of(lost, left), "four workers")
    clients = [Client(lost, name_="lost"), Client(left, name_="left")]
    witness = Witness(left)
    for each in (*clients, witness):
        each.start()
    wait_until(lambda: all(client.predicted for client in clients), "traffic on both")
    cycle_id = left.request_cycle("a test")  # at the door of the one that stands by
    wait_until(lambda: left.cycle(cycle_id).stage == stage, f"stage {stage}")
    for pid in lost.processes():
        with_signal(pid, signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: taken_over(left), "another leader")
    print(f"the loop was taken over {time.monotonic() - killed:.1f} s after the kill at stage '{stage}'")
    wait_until(lambda: clients[1].answered_at > killed, "an answer of the other machine")
    wait_until(lambda: left.cycle(cycle_id).state.is_over, f"the end of {left.cycle(cycle_id)}", seconds=120)
    cycle = left.cycle(cycle_id)
    assert cycle.state is CycleState.PROMOTED, cycle.outcome
    print(f"the cycle was over {time.monotonic() - killed:.1f} s after the kill")
    assert live_workers(left) == workers_of(left)
    wait_until(lambda: answered_by(left) == cycle.version, "the new version")

    lost.process.wait()
    lost.up("--workers", "2")
    wait_until(lambda: answered_by(lost) == cycle.version, "the new version on the machine that came back")
    assert (loop_of(lost), loop_of(left)) == ("standing by", "running")
    wait_until(lambda: live_workers(left) == workers_of(lost, left), "four workers again")
    moved = roll_back(left.house, reason="a test")
    assert set(moved.workers) == workers_of(lost, left)
    assert answered_by(lost) == answered_by(left) == moved.champion == 1

    for each in (*clients, witness):
        each.stop()
    assert not clients[1].refused
    assert clients[1].lost == 0
    for site in (left, lost):
        assert site.interrupt() < 10
    for client in clients:
        nothing_is_lost(left, client, witness)
    promoted_at_most_once(left)
    assert left.kinds().count("loop.taken_over") == 1


def test_a_leader_that_was_stopped_for_long_stands_by_when_it_wakes(trees):
    asleep, awake = trees
    client = Client(awake)
    client.start()
    cycle_id = awake.request_cycle("a test")
    wait_until(lambda: awake.cycle(cycle_id).stage == "canary 50%", "the canary")
    control = asleep.pid("web.control")
    os.kill(control, signal.SIGSTOP)
    wait_until(lambda: taken_over(awake), "another leader")
    os.kill(control, signal.SIGCONT)
    wait_until(lambda: asleep.pid("web.control") not in (None, control), "a new control process")
    wait_until(lambda: loop_of(asleep) == "standing by", "that stands by")
    wait_until(lambda: awake.cycle(cycle_id).state.is_over, "the end of the cycle", seconds=120)
    cycle = awake.cycle(cycle_id)
    assert cycle.state is CycleState.PROMOTED, cycle.outcome
    assert answered_by(asleep) == answered_by(awake) == cycle.version
    client.stop()
    assert not client.refused
    nothing_is_lost(awake, client)
    promoted_at_most_once(awake)
