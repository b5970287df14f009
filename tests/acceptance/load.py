"""An open-loop client in a process of its own: asks at a fixed rate, whatever the answers do, and keeps what each request met.

Latency counts from the moment at which a request was meant to leave, so that a server that stalls cannot hide the requests that waited for
it. `python -m tests.acceptance.load` reads what to do from its arguments; `Load` starts it and reads what it met.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Self

ROOT = Path(__file__).parents[2]
MOST_CONNECTIONS = 2000
MOST_ON_ONE = 100  # requests of a connection: then another is opened, perhaps to another worker


@dataclass(frozen=True, slots=True)
class Met:
    """What a request met. `status` 0: its connection was cut, -1: none was to be had. `at`: when it was meant to leave (time.monotonic)."""

    at: float
    latency_s: float
    status: int
    version: int | None
    request_id: str | None
    retry_after: str | None

    @property
    def answered_at(self) -> float:
        return self.at + self.latency_s


class _Connection(asyncio.Protocol):
    def __init__(self, free: deque) -> None:
        self.free = free
        self.is_open = True
        self.answered = 0
        self.waiting: asyncio.Future | None = None
        self.buffer = bytearray()

    def connection_made(self, transport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers["content-length"])
        if len(rest) < length:
            return
        body = bytes(rest[:length])
        self.buffer.clear()
        self.is_open = headers.get("connection") != "close"
        waiting, self.waiting = self.waiting, None
        waiting.set_result((int(lines[0].split()[1]), headers, body))
        self.answered += 1
        if self.is_open and self.answered < MOST_ON_ONE:
            self.free.append(self)
        else:
            self.transport.close()

    def connection_lost(self, error) -> None:
        self.is_open = False
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_exception(ConnectionResetError(str(error)))

    def ask(self, request: bytes) -> asyncio.Future:
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.waiting


async def ask_on(port: int, path: str, bodies: list[bytes], out, *, rate: float, connections: int) -> None:
    """Ask until the process that started this one hangs up."""
    loop = asyncio.get_running_loop()
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: "
    requests = cycle(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body for body in bodies)
    free: deque[_Connection] = deque()
    opened = 0

    async def connected() -> _Connection:
        return (await loop.create_connection(lambda: _Connection(free), "127.0.0.1", port))[1]

    async def one(at: float) -> None:
        nonlocal opened
        status, headers, told = -1, {}, {}
        opened += 1
        try:
            while free and not free[0].is_open:
                free.popleft()
            connection = free.popleft() if free else await connected()
            status = 0
            status, headers, answer = await connection.ask(next(requests))
            took = time.monotonic() - at
            told = json.loads(answer)
        except OSError as error:
            took = time.monotonic() - at
            # a reset is told as late as by the connecting where a busy client looks at the connection only then
            status = 0 if isinstance(error, ConnectionResetError) else status
        finally:
            opened -= 1
        met = [at, took, status, told.get("version"), told.get("request_id"), headers.get("retry-after")]
        out.write(json.dumps(met) + "\n")

    free.extend([await connected() for _ in range(connections)])
    ended = asyncio.Event()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    hung_up = loop.create_task(reader.read())
    hung_up.add_done_callback(lambda _: ended.set())
    began, number = time.monotonic() + 0.1, 0
    tasks: set[asyncio.Task] = set()
    while not ended.is_set():
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        number += 1
        assert opened < MOST_CONNECTIONS, "nobody answers"
        task = loop.create_task(one(due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        await asyncio.wait(tasks, timeout=30)


@dataclass
class Load:
    """A running client. `body`: of each request, or several that take turns. `met()` is what its requests have met so far; `stop` ends it when the last one was answered."""

    port: int
    path: str
    body: dict | list[dict]
    out: Path
    rate: float = 200.0
    connections: int = 16
    process: subprocess.Popen = field(init=False)

    def __enter__(self) -> Self:
        arguments = [self.port, self.path, self.rate, self.connections, json.dumps(self.body), self.out]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.acceptance.load", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.stop()

    def stop(self) -> list[Met]:
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        return self.met()

    def met(self) -> list[Met]:
        if not self.out.exists():
            return []
        whole, _, _ = self.out.read_text().rpartition("\n")
        return [Met(*json.loads(line)) for line in whole.splitlines()]


def quantile(latencies: list[float], q: float) -> float:
    """Return the latency that a share q of the requests did not exceed."""
    ordered = sorted(latencies)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


def main() -> None:
    import uvloop

    port, path, rate, connections, body, out = sys.argv[1:7]
    with Path(out).open("w", buffering=1) as lines:
        given = json.loads(body)
        bodies = [json.dumps(each).encode() for each in (given if isinstance(given, list) else [given])]
        uvloop.run(ask_on(int(port), path, bodies, lines, rate=float(rate), connections=int(connections)))


if __name__ == "__main__":
    main()
