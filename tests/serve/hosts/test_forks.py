"""Models' processes that a fork server makes: as good as those that are started anew, and not dependent on it."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import psutil
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.serve.answer import VersionDown
from homeostat.serve.evaluator import ModelError
from homeostat.serve.hosts.forks import UNSEEN, Forked, Forks
from homeostat.serve.hosts.host import ONE_THREAD, Host, HostSettings
from homeostat.serve.table import Table
from homeostat.testing.serving import REGRESSION
from homeostat.train.package import write_package

TABLE = Table.of_rows(REGRESSION.columns, [(1.0, "Ulm"), (2.0, None)])


class Draws:
    """Answers x where it is small; else a random number, or what the row asks its process to do."""

    def predict(self, frame):
        x = frame["x"].to_numpy()
        if (x == 9).any():
            os._exit(9)
        if (x == 10).any():
            raise ZeroDivisionError("by zero")
        if (x == 11).any():
            return x * 0 + os.getsid(0)
        if (x == 12).any():
            return x * 0 + float(os.environ["OMP_NUM_THREADS"])
        return np.where(x > 5, np.random.random(len(x)), x)  # noqa: NPY002 - the state that a fork copies


def about(x):
    return Table.of_rows(REGRESSION.columns, [(x, "Ulm")])


async def one(forks, package):
    host = Host(package, signature=None, settings=HostSettings(forks=forks))
    await host.start()
    return host


async def until_ready(forks):
    for _ in range(1200):
        if forks.is_ready:
            return
        await asyncio.sleep(0.05)
    raise TimeoutError


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "package"
    write_package(Draws(), folder, signature=REGRESSION, example=pl.DataFrame([{"x": 1.0, "city": "Ulm"}]))
    return folder


async def value(host, x):
    return (await host.evaluate(about(x))).labels.item()


async def as_good_as_another(forks, package, plain):
    """See that what is forked answers, raises, dies and is told as what is started anew."""
    hosts = [await one(forks, package) for _ in range(2)]
    first, second = hosts
    assert all(isinstance(host._process, Forked) for host in hosts)
    assert (await first.evaluate(TABLE)).labels.tolist() == (await plain.evaluate(TABLE)).labels.tolist() == [1.0, 2.0]
    assert await value(first, 6.0) != await value(second, 6.0), "two forks draw the same random numbers"
    assert await value(first, 11.0) == first.pid, "it leads no session of its own"
    assert await value(first, 12.0) == 1.0
    assert psutil.Process(first.pid).cmdline()[:4] == ["python", "-m", "homeostat.serve.hosts.child", str(package)]
    with pytest.raises(ModelError, match="by zero"):
        await first.evaluate(about(10.0))
    with pytest.raises(VersionDown, match="exit code 9"):
        await first.evaluate(about(9.0))
    await first.until_up(60)
    assert isinstance(first._process, Forked), "it is started again as a fork"
    os.kill(first.pid, signal.SIGKILL)
    with pytest.raises(VersionDown, match="SIGKILL"):
        await first.evaluate(TABLE)
    with pytest.raises(InvalidInput, match="not a model package"):
        await one(forks, package.parent)
    return hosts


def test_what_is_forked_is_as_good_and_outlives_the_fork_server(package):
    async def work():
        forks = Forks(ONE_THREAD, after_s=0.0)
        hosts = [await one(forks, package)]
        assert isinstance(hosts[0]._process, subprocess.Popen), "the first waits for no fork server"
        await until_ready(forks)
        hosts += await as_good_as_another(forks, package, hosts[0])
        survivor = hosts[-1]

        before = forks.pid
        os.kill(before, signal.SIGKILL)
        hosts.append(await one(forks, package))
        assert isinstance(hosts[-1]._process, subprocess.Popen), "it does without"
        assert await value(survivor, 3.0) == 3.0
        await until_ready(forks)
        assert forks.pid != before
        os.kill(survivor.pid, signal.SIGKILL)
        assert await asyncio.to_thread(survivor._process.wait, 10) == UNSEEN
        with pytest.raises(VersionDown, match="nobody saw how"):
            await survivor.evaluate(TABLE)
        await survivor.until_up(60)
        assert isinstance(survivor._process, Forked)
        assert await value(survivor, 3.0) == 3.0
        pids = [forks.pid, *(host.pid for host in hosts)]
        for host in hosts:
            await host.close()
        forks.close()
        return pids

    for pid in asyncio.run(work()):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


ENGINE = """\
import asyncio, sys
from pathlib import Path
from tests.serve.hosts.test_forks import Forks, Host, ONE_THREAD, one, until_ready

async def main():
    forks = Forks(ONE_THREAD, after_s=0.0)
    first = await one(forks, Path(sys.argv[1]))
    await until_ready(forks)
    forked = await one(forks, Path(sys.argv[1]))
    print(forks.pid, first.pid, forked.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_everything_ends_with_the_engine_however_that_ends(package):
    root = Path(__file__).parents[3]
    engine = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(package)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with engine:
        processes = [psutil.Process(int(word)) for word in engine.stdout.readline().split()]
        assert len(processes) == 3
        engine.kill()
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_a_fork_server_whose_engine_was_killed_meanwhile_ends_without_a_word():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.close()
    with theirs:
        command = [sys.executable, "-m", "homeostat.serve.hosts.forkserver", str(theirs.fileno()), "0", "", ""]
        done = subprocess.run(command, pass_fds=[theirs.fileno()], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.long
def test_what_has_threads_is_not_forked_and_not_tried_again(package, monkeypatch):
    monkeypatch.setenv("JE_ARROW_MALLOC_CONF", "background_thread:true")  # pandas brings pyarrow, and that a thread

    async def work():
        forks = Forks(ONE_THREAD, after_s=0.0)
        hosts = [await one(forks, package)]
        await until_ready(forks)
        hosts.append(await one(forks, package))
        assert isinstance(hosts[-1]._process, subprocess.Popen)
        assert await value(hosts[-1], 3.0) == 3.0
        assert forks.pid is None
        for host in hosts:
            await host.close()
        forks.close()

    asyncio.run(work())
