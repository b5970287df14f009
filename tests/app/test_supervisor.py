import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from homeostat.app.supervisor import Program, Supervisor, free_port
from homeostat.core.errors import Unreachable

STAYS = (sys.executable, "-c", "import signal; signal.pause()")
ORPHAN = """
import sys
from homeostat.app.supervisor import Program, Supervisor
wait = "import time; time.sleep(0.5); " if sys.argv[1] == "late" else ""
child = (sys.executable, "-c", wait + "import signal; from homeostat.app.supervisor import exit_when_orphaned; exit_when_orphaned(0.05); print('on', flush=True); signal.pause()")
supervisor = Supervisor(programs=[Program(name="a", command=child)], environment={})
supervisor.start()
print(supervisor.pids()["a"], flush=True)
supervisor.watch()
"""


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def ignores(pid, number):
    (mask,) = [line.split()[1] for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "SigIgn" in line]
    return int(mask, 16) >> (number - 1) & 1


@pytest.fixture
def supervised():
    made = []

    def make(*commands, **options):
        heard = []
        programs = [Program(name=f"p{n}", command=command) for n, command in enumerate(commands)]
        one = Supervisor(
            programs=programs, environment=dict(os.environ), on_change=lambda *told: heard.append(told), **options
        )
        one.start()
        made.append(one)
        return one, heard

    yield make
    for one in made:
        one.shut_down()


def test_what_is_killed_is_started_again_at_once(supervised):
    supervisor, heard = supervised(STAYS, STAYS)
    before = supervisor.pids()
    os.kill(before["p0"], signal.SIGKILL)
    until(lambda: supervisor.look(100.0) or heard)
    after = supervisor.pids()
    assert after["p0"] != before["p0"]
    assert after["p1"] == before["p1"]
    assert heard == [("p0", "died (signal SIGKILL), starting again")]


def test_what_dies_at_its_start_is_tried_ever_more_slowly_and_said_so(supervised):
    supervisor, heard = supervised((sys.executable, "-c", "raise SystemExit(3)"))
    now, starts = 1000.0, []
    for _ in range(8):
        died = len(heard)
        until(lambda died=died, now=now: supervisor.look(now) or len(heard) > died)
        started = now
        while not supervisor.pids():
            now += 0.25
            supervisor.look(now)
        starts.append(now - started)
    assert starts == [0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0]
    assert heard[0][1] == "died (exit 3), starting again"
    assert heard[4][1].startswith("died (exit 3) 5 times in a row, starting again in 5 s")


BEATS = """
import asyncio
from homeostat.app.supervisor import beat
asyncio.run(beat())
"""


def test_what_hangs_is_killed_and_started_again(supervised):
    supervisor, heard = supervised((sys.executable, "-c", BEATS), STAYS, hung_s=20.0)
    (beating,) = [child for child in supervisor._children if child.program.name == "p0"]
    until(lambda: supervisor.look(1.0) or beating.heard is not None)
    before = supervisor.pids()
    os.kill(before["p0"], signal.SIGSTOP)
    until(lambda: psutil.Process(before["p0"]).status() == psutil.STATUS_STOPPED)
    for now in range(1, 25):  # what never beat is not judged, nor is what could not be listened to
        supervisor.look(float(now))
    after = supervisor.pids()
    assert heard == [
        ("p0", "has not moved for 20 s and is killed"),
        ("p0", "died (signal SIGKILL), starting again"),
    ]
    assert after["p0"] != before["p0"]
    assert after["p1"] == before["p1"]


def test_nobody_is_blamed_for_the_time_that_the_supervisor_itself_stood_still(supervised):
    supervisor, heard = supervised((sys.executable, "-c", BEATS), hung_s=20.0)
    (beating,) = supervisor._children
    until(lambda: supervisor.look(1.0) or beating.heard is not None)
    pids = supervisor.pids()
    os.kill(pids["p0"], signal.SIGSTOP)
    for now in (1.0, 1000.0, 2000.0):
        supervisor.look(now)
    assert supervisor.pids() == pids
    assert heard == []


def test_a_stop_ends_all_and_kills_what_will_not(supervised):
    deaf = (
        sys.executable,
        "-c",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.pause()",
    )
    supervisor, _ = supervised(STAYS, deaf, grace_s=1.0)
    pids = supervisor.pids()
    until(lambda: ignores(pids["p1"], signal.SIGTERM))
    threading.Timer(0.1, supervisor.stop).start()
    supervisor.watch(poll_s=0.01)
    began = time.monotonic()
    supervisor.shut_down()
    assert time.monotonic() - began < 5
    assert not any(psutil.pid_exists(pid) for pid in pids.values())


@pytest.mark.parametrize("when", ["early", "late"])
def test_children_end_with_a_killed_supervisor_however_early(when):
    with subprocess.Popen([sys.executable, "-c", ORPHAN, when], stdout=subprocess.PIPE, text=True) as supervisor:
        child = psutil.Process(int(supervisor.stdout.readline()))
        if when == "early":
            assert supervisor.stdout.readline() == "on\n"
        supervisor.kill()
        gone, _ = psutil.wait_procs([child], timeout=20)
        assert gone


def test_a_taken_port_is_named_and_one_that_becomes_free_is_waited_for():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(Unreachable, match=f"cannot listen on 127.0.0.1:{port}"):
            free_port("127.0.0.1", port, patience_s=0.1)
        threading.Timer(0.2, holder.close).start()
        free_port("127.0.0.1", port, patience_s=20.0)
