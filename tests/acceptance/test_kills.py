"""kill -9 of any process at any moment: the cycle completes, nothing acknowledged is lost, nothing happens twice."""

import random
import time

import pytest
from tests.acceptance.site import (
    Client,
    Site,
    Witness,
    copy_of,
    get,
    nothing_is_lost,
    promoted_at_most_once,
    wait_until,
)

from homeostat.core.records.cycles import CycleState

STAGES = ["requested", "opened", "snapshot", "train", "gate", "refit", "registered", "shadow", "canary 50%"]
CHILDREN = {"train": "train.child", "gate": "serve.probe_server"}
SHORT = [4]  # the control process


def drawn(seed: int) -> tuple[str, str, float]:
    """Return whom to kill (each in its turn), at which stage of the cycle, and how many seconds after it was reached."""
    rng = random.Random(seed)
    who = ["web.control", "app.inference", "supervisor", "child"][seed % 4]
    is_late = seed // 4 % 2 == 1
    if who == "child":
        stage = "gate" if is_late else "train"
        return CHILDREN[stage], stage, 0.3 * rng.random()
    return who, "canary 50%" if is_late else rng.choice(STAGES[:-1]), 0.8 * rng.random()


def play(made: Site, root, seed: int) -> None:
    who, stage, delay = drawn(seed)
    print(f"seed {seed}: kill -9 of {who}, {delay:.3f} s after stage '{stage}'")
    site = copy_of(made, root, infrastructure=who == "serve.probe_server")
    site.roll_back_nothing()  # here it is about kills
    client, witness = Client(site), Witness(site)
    try:
        up_s = site.up()
        client.start()
        witness.start()
        wait_until(lambda: client.predicted, "traffic")
        cycle_id = site.request_cycle(f"seed {seed}")
        wait_until(lambda: STAGES.index(stage) <= position(site, cycle_id), f"stage {stage}")
        reached = time.monotonic()
        wait_until(lambda: time.monotonic() - reached >= delay, "the moment")
        pid = wait_until(lambda: site.kill(who) or site.cycle(cycle_id).state.is_over, f"a process {who}")
        killed = time.monotonic()
        print(f"  up in {up_s:.2f} s; killed process {pid} at stage '{site.cycle(cycle_id).stage}'")
        if who == "supervisor":
            site.up()
        wait_until(lambda: client.answered_at > killed, "an answer after the kill")
        print(f"  answered again {client.answered_at - killed:.2f} s after the kill")
        wait_until(site.answers, "both doors")
        wait_until(lambda: site.cycle(cycle_id).state.is_over, f"the end of {site.cycle(cycle_id)}", seconds=240)
        assert site.cycle(cycle_id).state is CycleState.PROMOTED, site.cycle(cycle_id).outcome
        assert site.champion() == site.cycle(cycle_id).version
        wait_until(
            lambda: f'"champion":{site.champion()}' in get(site.port, "/models")[1], "the new champion's answers"
        )
        seen = len(client.predicted)
        wait_until(lambda: len(client.predicted) > seen + 5, "answers at the end")
        client.stop()
        witness.stop()
        print(f"  {len(client.predicted)} answered, {client.lost} connections lost, {len(client.refused)} refused")
        assert not client.refused, client.refused[:3]
        assert site.interrupt() < 5
        wait_until(lambda: not site.processes(), f"the end of {site.processes()}", seconds=3)
        nothing_is_lost(site, client, witness)
        promoted_at_most_once(site)
    except AssertionError:
        print(site.log())
        raise
    finally:
        site.close()


def position(site: Site, cycle_id: str) -> int:
    cycle = site.cycle(cycle_id)
    return len(STAGES) if cycle.state.is_over else STAGES.index(cycle.stage)


@pytest.mark.parametrize("seed", SHORT)
def test_a_killed_process_costs_nothing_that_was_acknowledged(made, tmp_path, seed):
    play(made, tmp_path / "project", seed)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [2, 3, 5, *range(100, 120)])
def test_a_kill_at_a_random_point(made, tmp_path, seed):
    play(made, tmp_path / "project", seed)
