"""Tries a candidate where it will live: loads it in a fresh process of the real server and asks it over real HTTP."""

import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import msgspec

from homeostat.core.errors import JobFailed, JobKilled
from homeostat.core.values import Json
from homeostat.serve.probe_server import MODEL
from homeostat.train.redact import Redactor
from homeostat.train.runner import Interpreter, InterpreterOf, ours, scrubbed

_LAST_WORDS_BYTES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """`outputs`: for each row `prediction` and, where the model gives any, `scores` in the order of its classes.

    `load_s`: from the package to a warm model. `latency_ms`: of each request of one row, as a client sees it.
    """

    outputs: list[Any]
    load_s: float
    latency_ms: list[float]


class ServerProbe:
    """A CandidateProbe. The model's code gets the harmless environment variables and those named in `env`, as in training."""

    def __init__(self, *, env: Sequence[str] = (), interpreter_of: InterpreterOf = ours) -> None:
        self._env = tuple(env)
        self._interpreter_of = interpreter_of

    def predict(
        self, package: Path, rows: Sequence[Json], *, timeout_s: float, signature: Json | None = None
    ) -> Probed:
        """Return the answers to the rows, asked one by one. The process has ended when this returns or raises.

        Raises JobFailed where the candidate cannot be loaded, dies, refuses or fails a row, or where all of it takes too long. A process
        that is killed from outside is started once more.
        """
        interpreter = self._interpreter_of(package)
        until = time.monotonic() + timeout_s
        try:
            return self._tried(package, rows, until, signature, interpreter)
        except JobKilled:
            return self._tried(package, rows, until, signature, interpreter)

    def _tried(
        self,
        package: Path,
        rows: Sequence[Json],
        until: float,
        signature: Json | None,
        interpreter: Interpreter | None,
    ) -> Probed:
        with _server(package, self._env, signature, interpreter) as server:
            started = server.started(until)
            outputs, latencies = [], []
            for number, row in enumerate(rows):
                start = time.perf_counter()
                outputs.append(server.ask(started["port"], number, row, until))
                latencies.append((time.perf_counter() - start) * 1000.0)
            return Probed(outputs=outputs, load_s=started["load_s"], latency_ms=latencies)


@contextlib.contextmanager
def _server(
    package: Path, env: tuple[str, ...], signature: Json | None, interpreter: Interpreter | None
) -> Iterator["_Server"]:
    """Start the server, and kill it and all that it started at the end of the block."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", buffering=0) as report, tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "homeostat.serve.probe_server",
                    str(package.absolute()),
                    str(os.getpid()),
                    str(writing),
                    json.dumps({"signature": signature, "interpreter": interpreter and asdict(interpreter)}),
                ],
                env=scrubbed(dict(os.environ), env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        server = _Server(process, report, output)
        try:
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            server.hang_up()


class _Server:
    def __init__(self, process: "subprocess.Popen[bytes]", report: IO[bytes], output: IO[bytes]) -> None:
        self._process = process
        self._report = report
        self._output = output
        self._connection: http.client.HTTPConnection | None = None

    def started(self, until: float) -> Json:
        """Wait for the server's report that it listens."""
        said = b""
        while ready := select.select([self._report], [], [], max(0.0, until - time.monotonic()))[0]:
            part = ready[0].read(4096)
            if not part:
                break
            said += part
        else:
            raise self._failed("the candidate did not load in time", hint="make loading faster, or the model smaller")
        if not said:
            self._process.wait()
            raise self._failed(f"the server ended while it loaded the candidate (exit {self._process.returncode})")
        told: Json = json.loads(said)
        if "error" in told:
            raise JobFailed(f"the candidate does not load in a fresh server: {told['error']}", hint=told["hint"])
        return told

    def ask(self, port: int, number: int, row: Json, until: float) -> Json:
        body = msgspec.json.encode({"rows": [row]})
        left = until - time.monotonic()
        if left <= 0.0:
            raise self._failed(f"the candidate had answered {number} rows when the time was over")
        try:
            status, answer = self._posted(port, body, left)
        except TimeoutError as error:
            raise self._failed(f"the candidate did not answer row {number} in time") from error
        except (OSError, http.client.HTTPException) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(1.0)
            raise self._failed(f"the server died when the candidate was asked row {number}") from error
        if status != 200:
            told = answer.get("error", {})
            raise JobFailed(
                f"the server answered {status} to row {number} of the test data: {told.get('message')}",
                hint=told.get("hint"),
            )
        (found,) = answer["predictions"]
        output = {"prediction": found["prediction"]}
        if "probabilities" in found:
            output["scores"] = list(found["probabilities"].values())
        return output

    def _posted(self, port: int, body: bytes, timeout_s: float) -> tuple[int, Json]:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._connection.timeout = timeout_s
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        self._connection.request(
            "POST", f"/models/{MODEL}/predict", body=body, headers={"Content-Type": "application/json"}
        )
        response = self._connection.getresponse()
        answer: Json = msgspec.json.decode(response.read())
        return response.status, answer

    def hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def _failed(self, message: str, *, hint: str | None = None) -> JobFailed:
        size = self._output.seek(0, os.SEEK_END)
        self._output.seek(max(0, size - _LAST_WORDS_BYTES))
        last = self._output.read().decode(errors="replace").strip()
        told = f"its last words: {Redactor(dict(os.environ))(last)}" if last else None
        kind = JobKilled if self._process.poll() == -signal.SIGKILL else JobFailed
        return kind(message, hint=hint or told)
