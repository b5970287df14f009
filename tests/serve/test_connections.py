"""What many connections, slow ones and silent ones may cost, on a transport that keeps what it is told."""

import asyncio
import json
import tracemalloc

import pytest

from homeostat.serve.connection import Connection
from homeostat.serve.connections import Connections, Limits
from homeostat.serve.exchange import Response

MOST = 1 << 20
SHORT = b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}"


class Wire:
    """A transport that a client does not read from, unless `unsent` is made less."""

    def __init__(self):
        self.sent = bytearray()
        self.unsent = 0
        self.said = []

    def get_extra_info(self, _name):
        return ("127.0.0.1", 1)

    def get_write_buffer_size(self):
        return self.unsent

    def write(self, data):
        self.sent += data

    def __getattr__(self, name):
        return lambda: self.said.append(name)

    @property
    def statuses(self):
        return [int(part.split()[1]) for part in self.sent.split(b"\r\n") if part.startswith(b"HTTP/1.1")]


class World:
    def __init__(self, **limits):
        self.go = asyncio.Event()
        self.go.set()
        self.asked = []
        self.taken = []
        self.all = Connections(
            answer=self.answer, short_way=lambda _: self.take, limits=Limits(body_bytes=MOST, **limits)
        )

    async def answer(self, request):
        await self.go.wait()
        self.asked.append(len(request.body))
        return Response()

    def take(self, request, reply):
        if len(request.body) > MOST // 4:  # long ones are not taken (`serve.express`)
            return False
        self.taken.append(request)
        asyncio.get_running_loop().call_soon(reply, Response())
        return True

    def connect(self):
        connection, wire = Connection(self.all), Wire()
        connection.connection_made(wire)
        return connection, wire


def on_loop(work):
    asyncio.run(asyncio.wait_for(work, 60))


def head(length):
    return b"POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % length


async def settled():
    for _ in range(60):
        await asyncio.sleep(0)


def test_a_body_in_parts_of_two_bytes_takes_no_more_than_itself():
    async def work():
        world = World()
        connection, wire = world.connect()
        connection.data_received(b"POST /a HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n")
        parts = b"2\r\nab\r\n" * 8192
        tracemalloc.start()
        for _ in range(60):
            connection.data_received(parts)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * MOST
        assert world.all.held == 60 * 8192 * 2
        connection.data_received(b"0\r\n\r\n")
        await settled()
        assert world.asked == [60 * 8192 * 2]
        assert wire.statuses == [200]
        assert world.all.held == 0

    on_loop(work())


def test_bodies_of_all_connections_together_are_bounded_and_short_requests_go_on():
    async def work():
        world = World(all_bytes=2 * MOST)
        slow = [world.connect() for _ in range(2)]
        for connection, _ in slow:
            connection.data_received(head(MOST))
            for _ in range(8):
                connection.data_received(b"x" * (MOST // 8 - 1))
        assert world.all.held <= 2 * MOST
        more, wire = world.connect()
        more.data_received(head(MOST))
        for _ in range(2):
            more.data_received(b"x" * (MOST // 8))
        await settled()
        assert wire.statuses == [503]
        assert json.loads(wire.sent.rpartition(b"\r\n")[2])["error"]["code"] == "overloaded"
        short, wire = world.connect()
        short.data_received(SHORT)
        await settled()
        assert wire.statuses == [200]
        slow[0][0].connection_lost(None)
        again, wire = world.connect()
        again.data_received(head(MOST))
        for _ in range(8):
            again.data_received(b"x" * (MOST // 8))
        await settled()
        assert wire.statuses == [200]
        for connection in (slow[1][0], more, short, again):
            connection.connection_lost(None)
        assert world.all.held == 0

    on_loop(work())


def test_a_body_in_parts_goes_the_short_way_and_is_held_until_it_is_answered():
    async def work():
        world = World()
        connection, wire = world.connect()
        for _ in range(2):
            connection.data_received(head(100))
            connection.data_received(b"x" * 60)
            connection.data_received(b"x" * 40)
            assert world.all.held == 100
            await settled()
            assert world.all.held == 0
        assert wire.statuses == [200, 200]
        assert [len(request.body) for request in world.taken] == [100, 100]
        connection.data_received(head(100))
        connection.data_received(b"x" * 60)
        connection.data_received(b"x" * 40 + SHORT + head(100))  # what follows waits for its turn
        connection.data_received(b"x" * 60)
        connection.data_received(b"x" * 40)
        assert world.all.held == 200
        await settled()
        assert wire.statuses == [200] * 5
        assert world.all.held == 0
        connection.data_received(head(100))
        connection.data_received(b"x" * 60)
        connection.data_received(b"x" * 40)
        connection.connection_lost(None)
        assert world.all.held == 0
        await settled()
        assert world.all.held == 0

    on_loop(work())


def test_what_waits_for_its_turn_is_bounded_in_bytes():
    async def work():
        world = World()
        world.go.clear()
        connection, wire = world.connect()
        for _ in range(3):  # the first is under way
            connection.data_received(head(MOST - 1))
            for at in range(2):
                connection.data_received(b"x" * (MOST // 2 - at))
        await settled()
        assert set(wire.said) == {"pause_reading"}
        world.go.set()
        await settled()
        assert wire.said[-1] == "resume_reading"
        assert wire.statuses == [200] * 3
        assert world.all.held == 0

    on_loop(work())


def test_who_does_not_read_is_not_answered_without_end():
    async def work():
        world = World(request_s=30.0)
        connection, wire = world.connect()
        for _ in range(2):
            connection.data_received(SHORT)
            await settled()
        assert len(world.taken) == 2
        connection.pause_writing()
        for _ in range(40):
            connection.data_received(SHORT)
        await settled()
        assert len(world.taken) == 2
        assert wire.statuses == [200] * 3  # one more, then it waits
        assert set(wire.said) == {"pause_reading"}
        connection.resume_writing()
        await settled()
        assert wire.statuses == [200] * 42
        assert wire.said[-1] == "resume_reading"

    on_loop(work())


def test_who_reads_nothing_is_given_up_and_who_reads_slowly_is_not():
    async def work():
        world = World(request_s=30.0)
        connection, wire = world.connect()
        connection.data_received(SHORT)
        wire.unsent = 1000
        connection.pause_writing()
        began = asyncio.get_running_loop().time()
        for at in range(1, 20):
            wire.unsent -= 1
            connection.expire(began + at * 25.0)
        assert wire.said == []
        connection.expire(began + 19 * 25.0 + 29.0)
        assert wire.said == []
        connection.expire(began + 19 * 25.0 + 31.0)
        assert wire.said == ["abort"]

    on_loop(work())


@pytest.mark.parametrize("reads", [True, False])
def test_why_a_request_was_refused_can_be_read_while_the_client_still_sends(reads):
    async def work():
        world = World(linger_s=5.0)
        connection, wire = world.connect()
        connection.data_received(head(10 * MOST))
        await settled()
        assert wire.statuses == [413]
        assert wire.said == ["write_eof", "resume_reading"]
        for _ in range(10):
            connection.data_received(b"x" * MOST)
        assert world.all.held == 0
        now = asyncio.get_running_loop().time()
        if reads:
            assert connection.eof_received() is False  # asyncio closes it
        else:
            connection.expire(now + 4.0)
            assert "abort" not in wire.said
            connection.expire(now + 6.0)
            assert wire.said[-1] == "abort"

    on_loop(work())


class Breaks:
    """A connection that breaks where it is looked at."""

    def __init__(self):
        self.is_aborted = False

    def expire(self, now):
        raise ZeroDivisionError("ours")

    def abort(self):
        self.is_aborted = True


def test_a_connection_that_breaks_is_given_up_and_the_others_are_looked_at():
    looked = []

    class Sound(Breaks):
        def expire(self, now):
            looked.append(now)

    async def answer(request):
        return Response()

    broken = [Breaks(), Breaks()]
    found = Connections(answer=answer, limits=Limits(body_bytes=MOST), open={*broken, Sound()})
    found.sweep(7.0)
    assert looked == [7.0]
    assert all(each.is_aborted for each in broken)
