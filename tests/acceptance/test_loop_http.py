"""The whole loop against a real `homeostat up`, over HTTP."""

import json
import subprocess
import sys
import time

import pytest
from tests.acceptance.site import MODEL, Client, Site, Witness, get, nothing_is_lost, promoted_at_most_once, wait_until

from homeostat.core.records.cycles import CycleState


@pytest.fixture
def site(tmp_path):
    made = Site(tmp_path / "project", infrastructure=True, performance=True)
    yield made
    made.close()


def test_the_loop_over_http(site):
    print(f"up after {site.up():.2f} s")
    witness = Witness(site)
    witness.start()
    # the first model comes by itself; until then the door says that it has nothing to serve
    wait_until(lambda: get(site.port, "/health")[0] == 200, "the first model")
    assert site.cycles()[0].trigger == "first"
    client = Client(site)
    client.start()
    wait_until(lambda: len(client.predicted) > 60, "traffic")
    first_kinds = site.kinds()
    assert "performance.decayed" not in first_kinds

    # the concept turns: alert, cycle, gate report, shadow, canary, promotion
    client.turned = True
    wait_until(lambda: site.cycles()[0].trigger == "performance" and site.cycles()[0].state.is_over, "a renewal")
    renewed = site.cycles()[0]
    assert renewed.state is CycleState.PROMOTED, renewed.outcome
    assert site.champion() == renewed.version == 2
    kinds = site.kinds()[len(first_kinds) :]
    story = ["performance.decayed", "cycle.requested", "run.finished", "gate.passed", "route.changed", "alias.moved"]
    at = [kinds.index(kind) for kind in story]
    assert at == sorted(at), kinds
    routes = [e.payload for e in site.events() if e.kind == "route.changed"]
    assert [(r["shadow"], r["canary"], r["canary_percent"]) for r in routes] == [(2, None, 0.0), (None, 2, 50.0)]
    with site.house.store.read() as tx:
        report = tx.models.report(tx.models.get(MODEL, 2).report_id)
    assert {result["check"] for result in report.body["results"]} >= {"beats_champion", "infrastructure"}

    # a bad one is forced past the gate, meets traffic, and is taken back; nobody notices
    asked_before = len(client.predicted)
    # the loop may have begun to renew the renewed one, of rows that are all new
    wait_until(lambda: site.asks("bad", train="model:contrary", force="a test pushes it"), "the loop's leave to start")
    best = site.champion()
    wait_until(lambda: site.cycle("bad").state.is_over, "the end of the bad challenger")
    assert site.cycle("bad").state is CycleState.ROLLED_BACK, site.cycle("bad").outcome
    assert "loss is worse" in site.cycle("bad").outcome["because"]
    bad = site.cycle("bad").version
    with site.house.store.read() as tx:
        assert bad not in tx.routes.get(MODEL).versions
        assert [e for e in tx.audit.events(kinds=["alias.moved"]) if e.payload["to"] == bad] == []
    client.stop()
    witness.stop()
    assert len(client.predicted) > asked_before
    assert client.refused == []
    assert client.lost == 0

    # the doors tell
    status, told = get(site.control_port, "/api/v1/status")
    assert status == 200
    (model,) = json.loads(told)["models"]
    assert (model["champion"] >= best, model["canary"] != bad, model["workers"]) == (True, True, 1)
    for port in (site.port, site.control_port):
        status, metrics = get(port, "/metrics")
        assert status == 200
        assert "# TYPE homeostat_" in metrics
        assert get(port, "/health")[0] == 200
        assert get(port, "/metrics", headers={"Host": "evil.example"})[0] in (400, 403)
    assert get(site.port, f"/models/{MODEL}/predict", method="POST", body={"rows": [{"a": "x"}]})[0] == 422

    # one tree per project
    second = subprocess.run(
        [sys.executable, "-m", "homeostat", "up"],
        cwd=site.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert second.returncode == 6, second.stderr
    assert "running already" in second.stderr

    # Ctrl-C
    took = site.interrupt()
    assert site.process.returncode == 0, site.log()
    assert took < 5
    wait_until(lambda: not site.processes(), f"the end of {site.processes()}", seconds=3)
    assert get(site.port, "/health")[0] == get(site.control_port, "/health")[0] == 0
    assert "Traceback" not in site.log()
    nothing_is_lost(site, client, witness)
    promoted_at_most_once(site)


def test_an_interrupt_at_any_time_of_the_start_ends_it_cleanly(site):
    for pause in (0.05, 0.4, 1.2):  # before the children, among them, during the first training
        began = time.monotonic()
        site.up(wait=False)
        wait_until(lambda begun=began, length=pause: time.monotonic() - begun > length, "the moment")
        site.interrupt()
        wait_until(lambda: not site.processes(), f"the end of {site.processes()}", seconds=5)
    site.up()
    wait_until(lambda: site.champion() == 1, "the first model after interrupted starts")
    site.rest()
    promoted_at_most_once(site)


def test_processes_that_die_at_their_start_are_given_up_with_a_reason(site):
    state = site.root / ".homeostat"
    state.mkdir()
    (state / "homeostat.db").write_text("not a database")
    site.up(wait=False)
    assert site.process.wait(60) == 5
    said = site.log()
    assert "dies at its start again and again" in said
    assert "error: the database" in said
    assert "starting again in 0.5 s" in said
    assert "Traceback" not in said
    wait_until(lambda: not site.processes(), f"the end of {site.processes()}", seconds=5)
