"""The whole product on one machine: one supervisor, one control process, N inference processes."""

import http.client
import os
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path

from homeostat.app.node import node_of
from homeostat.app.project import FILE, Place
from homeostat.app.supervisor import Supervisor, free_port, python_module
from homeostat.core.errors import Conflict, Unreachable

_READY_S = 60.0
_FILES = 65_536
LEAN = {
    "OMP_WAIT_POLICY": "PASSIVE",  # idle OpenMP threads that spin take the core that the next request needs
}


def up(place: Place, *, workers: int | None, replay: bool, every_s: float, tell: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM; `tell` gets what a user should see. One tree per project: Conflict where one is up."""
    settings = place.project.serve
    _allow_files()
    place.state.mkdir(exist_ok=True, mode=0o700)
    lock = _only_one(place.state / "up.lock")
    node_of(place)  # drawn before the processes start, which all read it
    free_port(settings.host, settings.port)
    free_port(settings.host, settings.control_port)
    if settings.grpc_port is not None:
        free_port(settings.host, settings.grpc_port)
    file = str(Path(os.environ.get("HOMEOSTAT_PROJECT", place.root / FILE)).resolve())
    control = [file, "--every", str(every_s), *(["--replay"] if replay else [])]
    count = workers or settings.workers
    supervisor = Supervisor(
        programs=[
            python_module("control", "homeostat.web.control", *control),
            *(python_module(f"inference {n}", "homeostat.app.inference", file, str(n)) for n in range(count)),
        ],
        environment={**LEAN, **os.environ},
        grace_s=settings.drain.total_seconds() + 5.0,
        on_change=lambda name, what: tell(f"{name} {what}"),
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.start()
    try:
        tell(f"starting {place.project.model}: control, {count} inference process{'es' if count > 1 else ''} ...")
        doors = {settings.port: "/health/live", settings.control_port: "/health"}
        if _ready(settings.host, doors, supervisor):
            tell(f"predictions  http://{settings.host}:{settings.port}/models/{place.project.model}/predict")
            if settings.grpc_port is not None:
                tell(f"gRPC         {settings.host}:{settings.grpc_port}")
            tell(f"pages        http://{settings.host}:{settings.control_port}/")
            tell("stop with Ctrl-C; what is under way is resumed at the next start")
        supervisor.watch()
    finally:
        supervisor.shut_down()
        os.close(lock)
    tell("stopped")


def _allow_files() -> None:
    """Let this tree open as many files as it may: each connection is one, and where they run out the record cannot be opened either."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _ready(host: str, doors: dict[int, str], supervisor: Supervisor) -> bool:
    """Return True when every door answers 200; raise Unreachable after a minute, or where one dies at its start; False when told to stop before."""
    deadline = time.monotonic() + _READY_S
    waiting = list(doors)
    while waiting and not supervisor.is_stopping:
        supervisor.look(time.monotonic())
        waiting = [port for port in waiting if not answers(host, port, doors[port])]
        if waiting and (name := supervisor.never_lived()) is not None:
            raise Unreachable(f"{name} dies at its start again and again", hint="what it said last is above")
        if waiting and time.monotonic() > deadline:
            raise Unreachable(
                f"nothing answers on port {waiting[0]} after {_READY_S:.0f} s",
                hint="HOMEOSTAT_LOG=INFO homeostat up says more",
            )
        if waiting:
            time.sleep(0.05)
    return not supervisor.is_stopping


def answers(host: str, port: int, path: str = "/health") -> bool:
    """Return whether GET on the path answers 200."""
    connection = http.client.HTTPConnection(host, port, timeout=2.0)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def is_up(place: Place) -> bool:
    """Return whether a `homeostat up` of this project is running on this machine."""
    path = place.state / "up.lock"
    if not path.exists():
        return False
    try:
        os.close(_only_one(path))
    except Conflict:
        return True
    return False


def _only_one(path: Path) -> int:
    import fcntl

    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise Conflict(
            f"`homeostat up` is running already for {path.parent.parent}", hint="`homeostat status` shows how it is"
        ) from error
    return handle
