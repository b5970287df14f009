"""Cycles that outlive their process."""

import os
import subprocess
import sys

import pytest

from homeostat.app.durable import DurableCycles, Unfinished
from homeostat.core.errors import HomeostatError, JobFailed
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.cycle import CycleRequest

REQUEST = CycleRequest(cycle_id="c", model="m", trigger="manual", because="a test")


@pytest.fixture
def cycles(tmp_path):
    opened = []

    def make(run):
        made = DurableCycles(database_url=f"sqlite:///{tmp_path / 'workflows.db'}", run=run)
        opened.append(made)
        made.launch()
        return made

    yield make
    for one in opened:
        one.close()


def ended(cycles, request=REQUEST):
    from dbos import DBOS

    cycles.start(request)
    return DBOS.retrieve_workflow(request.cycle_id).get_result()


def test_a_cycle_started_twice_runs_once(cycles):
    ran = []

    def run(request, durable):
        ran.append(request)
        return CycleState(durable.step("one", lambda: "promoted"))

    made = cycles(run)
    assert ended(made) == ended(made) == "promoted"
    assert ran == [REQUEST]
    assert made.lost("c") is None
    assert made.lost("unknown") is None


@pytest.mark.parametrize(
    ("error", "told"),
    [(JobFailed("it hung", hint="wait"), "it hung"), (OSError(28, "No space left"), "step 'one' broke: OSError")],
)
def test_whatever_a_step_raises_is_an_error_that_a_cycle_can_end_by(cycles, error, told):
    def fail():
        raise error

    def run(_request, durable):
        with pytest.raises(HomeostatError, match=told):
            durable.step("one", fail)
        return CycleState.FAILED

    assert ended(cycles(run)) == "failed"


def test_a_cycle_that_broke_is_told_as_lost(cycles):
    def run(_request, _durable):
        raise RuntimeError("a bug")

    made = cycles(run)
    with pytest.raises(RuntimeError, match="a bug"):
        ended(made)
    assert "a bug" in made.lost("c")


KILLED = """
import os, sys
from homeostat.app.durable import DurableCycles
from homeostat.core.records.cycles import CycleState
from homeostat.retrain.cycle import CycleRequest

said = lambda word: os.write(1, f"{word}\\n".encode())

def run(request, durable):
    durable.step("one", lambda: said("one"))
    durable.step("two", lambda: os._exit(9) if sys.argv[2] == "die" else said("two"))
    return CycleState.PROMOTED

cycles = DurableCycles(database_url="sqlite:///" + sys.argv[1], run=run)
cycles.launch()
from dbos import DBOS
cycles.start(CycleRequest(cycle_id="c", model="m", trigger="t", because="b"))
said(DBOS.retrieve_workflow("c").get_result())
os._exit(0)
"""


def test_a_killed_process_resumes_at_the_last_finished_step(tmp_path):
    def run(how):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "w.db"), how]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))

    died = run("die")
    assert (died.returncode, died.stdout.split()) == (9, ["one"])
    resumed = run("live")
    assert (resumed.returncode, resumed.stdout.split()) == (0, ["two", "promoted"]), resumed.stderr


def test_a_cycle_whose_end_could_not_be_written_asks_for_a_new_process(cycles, monkeypatch):
    from dbos import DBOS

    def run(_request, _durable):
        raise RuntimeError("the disk is full")

    made = cycles(run)
    with pytest.raises(RuntimeError):
        ended(made)
    monkeypatch.setattr(DBOS, "get_workflow_status", lambda _id: type("Status", (), {"status": "PENDING"}))
    with pytest.raises(Unfinished, match="the disk is full"):
        made.lost("c")
