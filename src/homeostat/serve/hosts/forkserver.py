"""A process that has imported what every model's process imports, and becomes one when it is asked: a fork takes milliseconds, Python's start seconds.

`python -m homeostat.serve.hosts.forkserver CONTROL LIFE MODULES PADDING`. CONTROL: a socket over which the engine asks, at the end of which this ends. LIFE is for
what is forked. MODULES: those of `PRELOADED` to import, with commas between. It has one thread, forks between questions, and imports no model's code.
"""

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from homeostat.serve.hosts.child import main as serve
from homeostat.serve.hosts.forks import MOST_BYTES, PRELOADED, READY, REFUSED


def main(control: socket.socket, life: int, modules: Sequence[str]) -> None:
    """Fork whenever the engine asks, and tell it how what was forked has ended; return when the engine is gone."""
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # collections in what is forked would touch, and so copy, every page
    control.send(READY)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    children: dict[int, tuple[int, int]] = {}  # by the descriptor of the process: its id, and where its end is told
    while True:
        for fd, _ in poll.poll():
            if fd != control.fileno():
                poll.unregister(fd)
                _tell_end(fd, *children.pop(fd))
                continue
            body, fds, _, _ = socket.recv_fds(control, MOST_BYTES, 2)
            if not body:
                return
            link, told = fds
            if _threads() > 1:  # a lock that another thread holds would be held for ever in the fork
                control.send(REFUSED)
                os.close(link)
                os.close(told)
                continue
            pid = os.fork()
            if not pid:
                for each, (_, where) in children.items():
                    os.close(each)
                    os.close(where)
                os.close(told)
                control.close()
                _become(link, life, json.loads(body))
            os.close(link)
            of = os.pidfd_open(pid)
            children[of] = pid, told
            poll.register(of, select.POLLIN)
            socket.send_fds(control, [str(pid).encode()], [of])


def _become(link: int, life: int, asked: dict[str, str | None]) -> NoReturn:
    """Be the process of a model, in a session of its own as if it had been started."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        package = str(asked["package"])
        _rename(["python", "-m", "homeostat.serve.hosts.child", package])
        import numpy as np

        np.random.seed()  # noqa: NPY002 - else all that are forked draw the same numbers
        serve(Path(package), link, life, asked["signature"])
        sys.stdout.flush()
        code = 0
    except BaseException:  # noqa: BLE001 - nothing may return into the loop that forks
        sys.excepthook(*sys.exc_info())
    os._exit(code)


def _tell_end(of: int, pid: int, told: int) -> None:
    _, status = os.waitpid(pid, 0)
    with contextlib.suppress(OSError):  # the engine no longer wants to know
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
    os.close(told)
    os.close(of)


def _threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def _rename(words: list[str]) -> None:
    """Let `ps` show what this process has become: the place of the command line is written over, and nothing beyond it."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[45]), int(fields[46])  # proc(5): arg_start, arg_end, the 48th and 49th
    text = "\0".join(words).encode()[: end - start - 1]
    if start:
        ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # an engine that is killed leaves no end of its messages, but a broken connection
    with socket.socket(fileno=int(sys.argv[1])) as given, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        main(given, int(sys.argv[2]), [name for name in PRELOADED if name in sys.argv[3].split(",")])
    os._exit(0)
