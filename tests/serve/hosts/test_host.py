"""Models in processes of their own: what they answer, and what happens when they do not."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from datetime import UTC, datetime

import numpy as np
import polars as pl
import psutil
import pytest

from homeostat.core.columns import Column, Kind
from homeostat.core.errors import InvalidInput
from homeostat.serve.answer import VersionDown
from homeostat.serve.batcher import QueueBatcher
from homeostat.serve.evaluator import ModelError
from homeostat.serve.hosts.fence import FENCED_AFTER, PAUSE_S
from homeostat.serve.hosts.frames import asking, predictions_of, saying, table_of, unframed
from homeostat.serve.hosts.frames import framed as in_frame
from homeostat.serve.hosts.host import Host, HostSettings
from homeostat.serve.table import Table
from homeostat.testing.serving import BINARY
from homeostat.track.predictions import Predictions
from homeostat.train.package import write_package

ROWS = [{"x": n / 7, "city": None if n % 3 else "Ulm"} for n in range(6)]
TABLE = Table.of_rows(BINARY.columns, [(row["x"], row["city"]) for row in ROWS])


class Rule:
    def predict_proba(self, frame):
        if (frame["x"] > 100).any():
            raise ZeroDivisionError("too great")
        p = np.clip(frame["x"].to_numpy() / 3 + (frame["city"] == "Ulm").to_numpy() / 2, 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class Dies(Rule):
    """Ends its process when it is asked about a city of that name."""

    def predict_proba(self, frame):
        if (frame["city"] == "Die").any():
            os._exit(9)
        return super().predict_proba(frame)


class KilledOnce(Rule):
    """Its process is killed over the first question, as by the kernel when memory is short."""

    def __init__(self, mark):
        self.mark = mark

    def predict_proba(self, frame):
        if not self.mark.exists():
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict_proba(frame)


class Hangs(Rule):
    def predict_proba(self, frame):
        if (frame["city"] == "Hang").any():
            time.sleep(600)
        return super().predict_proba(frame)


class Leaks(Rule):
    def __init__(self):
        self.kept = []

    def predict_proba(self, frame):
        self.kept.append(np.ones(30_000_000))  # 240 MB
        return super().predict_proba(frame)


def package(folder, model):
    write_package(model, folder, signature=BINARY, example=pl.DataFrame(ROWS))
    return folder


def about(city, x=1.0):
    return Table.of_rows(BINARY.columns, [(x, city)])


def run(folder, model, work, *, given_up=None, **settings):
    """Run the coroutine function on a host of the model, and see that no process is left."""
    told = []

    async def whole():
        host = Host(
            package(folder / "package", model),
            signature=None,
            settings=HostSettings(**settings),
            on_unhealthy=told.append,
            on_healthy=lambda: told.append("healthy"),
            given_up=given_up,
        )
        await host.start()
        try:
            return await work(host)
        finally:
            await host.close()

    before = set(psutil.Process().children())
    found = asyncio.run(whole())
    assert not [child for child in set(psutil.Process().children()) - before if child.status() != psutil.STATUS_ZOMBIE]
    return found, told


async def until_up(host, table=TABLE):
    """Ask until the process answers again."""
    for _ in range(600):
        try:
            return await host.evaluate(table)
        except VersionDown:
            await asyncio.sleep(0.05)
    raise TimeoutError


def test_it_answers_as_the_package_does(tmp_path):
    async def work(host):
        assert host.signature == BINARY
        return await host.evaluate(TABLE)

    found, told = run(tmp_path, Rule(), work)
    assert found.labels.tolist() == ["yes" if (n % 3 == 0 and n) or n / 7 / 3 > 0.5 else "no" for n in range(6)]
    assert found.scores.shape == (6, 2)
    assert not told


def test_what_the_models_code_raises_is_told_and_the_process_lives(tmp_path):
    async def work(host):
        pid = host.pid
        with pytest.raises(ModelError, match="ZeroDivisionError: too great"):
            await host.evaluate(about(None, x=101.0))
        await host.evaluate(TABLE)
        assert host.pid == pid

    run(tmp_path, Rule(), work)


def test_a_process_that_dies_is_started_again(tmp_path):
    async def work(host):
        with pytest.raises(VersionDown, match="exit code 9"):
            await host.evaluate(about("Die"))
        return await until_up(host)

    found, told = run(tmp_path, Dies(), work)
    assert len(found) == 6
    assert not told


def test_one_that_dies_over_different_questions_is_given_up_and_told_once(tmp_path):
    async def work(host):
        for n in range(FENCED_AFTER):
            with pytest.raises(VersionDown):
                await host.evaluate(about("Die", x=float(n)))
            await host.until_up(60.0)
        assert host.is_given_up
        with pytest.raises(VersionDown, match=r"it is tried again in \d+ s") as down:
            await host.evaluate(TABLE)
        assert 1 < down.value.retry_after_s <= PAUSE_S

    _, told = run(tmp_path, Dies(), work)
    assert len(told) == 1
    assert f"{FENCED_AFTER} times in a row" in told[0]


async def give_up(host):
    for n in range(FENCED_AFTER):
        with pytest.raises(VersionDown):
            await host.evaluate(about("Die", x=float(n)))
        await host.until_up(60.0)
    assert host.is_given_up


async def until_half_open(host):
    async with asyncio.timeout(60):
        while not host.is_half_open:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


def test_one_that_was_given_up_is_tried_with_one_request_and_answers_all_again_if_it_answers(tmp_path):
    async def work(host):
        batcher = QueueBatcher(host, queue=10, timeout_s=60.0)
        await give_up(host)
        with pytest.raises(VersionDown, match="tried again"):
            await batcher.ask(TABLE)  # nobody waits for that
        await until_half_open(host)
        found = await asyncio.gather(*(batcher.ask(about("Ulm", x=float(n))) for n in range(5)))
        assert not host.is_given_up
        assert host.down() is None
        return [one.batch_rows for one in found]

    rows, told = run(tmp_path, Dies(), work, pause_s=0.2)
    assert rows == [1, 4, 4, 4, 4]
    assert [word if word == "healthy" else "given up" for word in told] == ["given up", "healthy"]


def test_one_that_ends_when_it_is_tried_costs_one_request_and_is_left_alone_for_longer(tmp_path):
    async def work(host):
        batcher = QueueBatcher(host, queue=10, timeout_s=60.0)
        await give_up(host)
        await until_half_open(host)
        pid = host.pid
        said = await asyncio.gather(*(batcher.ask(about("Die", x=100.0 + n)) for n in range(3)), return_exceptions=True)
        assert all(isinstance(one, VersionDown) for one in said)
        assert host.is_given_up
        assert host.pid in (pid, None)
        await until_half_open(host)
        await batcher.ask(TABLE)

    _, told = run(tmp_path, Dies(), work, pause_s=0.2)
    assert "3 times in a row" in told[0]
    assert told[1:] == ["its process died (exit code 9) when it was tried again", "healthy"]


def test_one_that_does_not_start_again_is_tried_again(tmp_path):
    async def work(host):
        (tmp_path / "package").rename(tmp_path / "away")
        os.kill(host.pid, signal.SIGKILL)
        while not host.is_given_up:
            host.down()
            await asyncio.sleep(0.02)
        (tmp_path / "away").rename(tmp_path / "package")
        await until_half_open(host)
        return await host.evaluate(TABLE)

    found, told = run(tmp_path, Rule(), work, pause_s=0.2)
    assert len(found) == 6
    assert "does not start again" in told[0]
    assert told[0].endswith("3 times in a row")
    assert told[-1] == "healthy"


def test_one_that_is_killed_while_it_loads_is_started_once_more(tmp_path):
    async def work(host):
        (tmp_path / "package").rename(tmp_path / "away")
        os.kill(host.pid, signal.SIGKILL)
        while host._fence.deaths < FENCED_AFTER - 1:
            host.down()
            await asyncio.sleep(0.002)
        (tmp_path / "away").rename(tmp_path / "package")
        return await until_up(host)

    found, told = run(tmp_path, Rule(), work)
    assert len(found) == 6
    assert not told


def test_one_that_was_given_up_before_it_was_started_is_tried_at_once(tmp_path):
    async def work(host):
        assert host.is_half_open
        with pytest.raises(VersionDown):
            await host.evaluate(about("Die"))
        await until_half_open(host)
        return await host.evaluate(TABLE)

    found, told = run(tmp_path, Dies(), work, given_up="before", pause_s=0.2)
    assert len(found) == 6
    assert told == ["its process died (exit code 9) when it was tried again", "healthy"]


def test_one_that_hangs_is_killed_and_what_waits_is_answered_by_the_next(tmp_path):
    async def work(host):
        batcher = QueueBatcher(host, queue=10, timeout_s=1.0)
        hanging = batcher.ask(about("Hang"))
        with pytest.raises(VersionDown, match="no answer within 1 s"):
            await hanging
        await until_up(host)
        return await batcher.ask(TABLE)

    found, _ = run(tmp_path, Hangs(), work)
    assert len(found.predictions) == 6


def test_what_waits_while_a_process_dies_is_answered_by_the_next(tmp_path):
    async def work(host):
        batcher = QueueBatcher(host, queue=10, timeout_s=60.0)
        died = batcher.ask(about("Die"), patient=False)
        await asyncio.sleep(0)  # it is asked alone
        patient, hasty = batcher.ask(TABLE), batcher.ask(TABLE, patient=False)
        with pytest.raises(VersionDown, match="exit code 9"):
            await died
        with pytest.raises(VersionDown, match="being started again"):
            await hasty
        with pytest.raises(VersionDown, match="being started again"):
            await batcher.ask(TABLE, patient=False)
        return await patient

    found, told = run(tmp_path, Dies(), work)
    assert len(found.predictions) == 6
    assert not told


def test_a_request_that_ends_the_process_is_found_out_among_others_and_refused_from_then_on(tmp_path):
    """Whoever sends it again and again neither keeps the version from others nor has it given up."""

    async def work(host):
        batcher = QueueBatcher(host, queue=20, timeout_s=60.0)
        others = [batcher.ask(TABLE)]
        await asyncio.sleep(0)  # what comes while it is asked is one batch
        deadly = [batcher.ask(about("Die")) for _ in range(2)]
        others += [batcher.ask(about("Ulm", x=float(n))) for n in range(3)]
        for future in deadly:
            with pytest.raises(ModelError, match="RowsEndItsProcess"):
                await future
        heights = [len((await future).predictions) for future in others]
        pid = host.pid
        for n in range(5):
            again, other = batcher.ask(about("Die")), batcher.ask(about("Ulm", x=float(n)))
            with pytest.raises(ModelError, match="not asked again"):
                await again
            await other
        assert host.pid == pid
        return heights

    heights, told = run(tmp_path, Dies(), work)
    assert heights == [6, 1, 1, 1]
    assert not told


def test_a_process_that_was_killed_while_nobody_asked_costs_no_request(tmp_path):
    async def work(host):
        batcher = QueueBatcher(host, queue=10, timeout_s=60.0)
        killed = host._process
        os.kill(host.pid, signal.SIGKILL)
        await asyncio.to_thread(killed.wait)
        return [await batcher.ask(TABLE) for _ in range(2)]

    found, _ = run(tmp_path, Rule(), work)
    assert [len(each.predictions) for each in found] == [6, 6]


def test_a_process_that_is_killed_over_a_request_costs_nobody_an_answer(tmp_path):
    async def work(host):
        return await QueueBatcher(host, queue=10, timeout_s=60.0).ask(TABLE)

    found, told = run(tmp_path, KilledOnce(tmp_path / "mark"), work)
    assert len(found.predictions) == 6
    assert not told


def test_the_loop_goes_on_while_a_process_with_much_memory_ends(tmp_path):
    """What is killed for its memory is not waited for: others are answered on the same loop."""

    async def work(host):
        waited = []

        class Slow:
            """A process whose end takes long."""

            pid = host.pid

            def poll(self):
                return None

            def wait(self, timeout=None):
                waited.append(threading.get_ident())
                return -9

        ended, host._process = host._process, Slow()
        os.killpg(ended.pid, signal.SIGKILL)
        host._died("a test")
        await asyncio.to_thread(ended.wait)
        found = await until_up(host)
        assert waited
        assert threading.get_ident() not in waited
        return found

    found, _ = run(tmp_path, Rule(), work)
    assert len(found) == 6


def test_one_that_takes_too_much_memory_is_started_anew(tmp_path):
    async def work(host):
        pid = host.pid
        for _ in range(200):
            with contextlib.suppress(VersionDown):
                await host.evaluate(about(None))
            if host.pid != pid:
                break
            await asyncio.sleep(0.2)
        assert host.pid != pid
        await until_up(host)

    run(tmp_path, Leaks(), work, memory_bytes=1_200_000_000)


def test_a_package_that_does_not_load_says_so_at_the_start(tmp_path):
    async def work():
        host = Host(tmp_path / "nothing", signature=None, settings=HostSettings())
        with pytest.raises(InvalidInput, match="not a model package"):
            await host.start()

    asyncio.run(work())


def test_tables_and_answers_arrive_as_they_were_sent():
    columns = tuple(Column(name=kind.value, kind=kind) for kind in Kind)
    whole = Table.of_rows(
        columns,
        [
            (2**60 + 1, 0.1, True, "a", datetime(2024, 1, 1, tzinfo=UTC), "é"),
            (None, None, None, None, None, None),
        ],
    )
    assert table_of(unframed(in_frame(asking(whole))[4:]), columns).rows() == whole.rows()
    numbers = columns[:3]
    plain = Table.of_rows(numbers, [(3, 0.5, False), (None, None, None)])
    assert table_of(unframed(in_frame(asking(plain))[4:]), numbers).rows() == plain.rows()
    said = Predictions(labels=np.array(["a", "b"]), scores=np.array([[0.1, 0.9], [0.5, 0.5]]), classes=("a", "b"))
    heard = predictions_of(unframed(in_frame(saying(said))[4:]), ("a", "b"))
    assert heard.labels.tolist() == ["a", "b"]
    assert heard.scores.tolist() == said.scores.tolist()
