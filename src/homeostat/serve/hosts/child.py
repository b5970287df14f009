"""The process of one model: `python -m homeostat.serve.hosts.child PACKAGE FD LIFE [SIGNATURE]`. Loads the package, then answers until the socket closes.

LIFE is a pipe whose other end only the engine holds: at its end this process ends, whatever the model is doing.
"""

import importlib
import json
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

from homeostat.core.errors import HomeostatError
from homeostat.serve.evaluator import ModelError, outcome_of
from homeostat.serve.hosts.forks import PRELOADED
from homeostat.serve.hosts.frames import HEADER_BYTES, Ask, Failed, Frame, Ready, framed, saying, table_of, unframed
from homeostat.train.package import Package, read_package
from homeostat.train.shortcuts import takes_matrix
from homeostat.train.signature import from_json, to_json

Prepare = Callable[[Package, Path], Callable[[Ask], Frame]]


def main(package: Path, fd: int, life: int, signature: str | None = None, *, prepare: Prepare | None = None) -> None:
    """Serve the package over the socket. `prepare(package, folder)` returns what answers; without it, the model predicts."""
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    with socket.socket(fileno=fd) as link:
        link.setblocking(True)
        start = time.perf_counter()
        try:
            loaded = read_package(package, signature=None if signature is None else from_json(json.loads(signature)))
            answering = (prepare or _predicting)(loaded, package)
        except HomeostatError as error:
            link.sendall(framed(Failed(kind=error.code, message=error.message, hint=error.hint)))
            return
        modules = [name for name in PRELOADED if name in sys.modules]
        seconds = time.perf_counter() - start
        link.sendall(framed(Ready(signature=to_json(loaded.signature), load_s=seconds, modules=modules)))
        while (asked := _received(link)) is not None:
            link.sendall(framed(answering(asked)))


def _predicting(package: Package, folder: Path) -> Callable[[Ask], Frame]:
    del folder
    as_matrix = takes_matrix(package.model, package.signature)
    if as_matrix:  # scikit-learn says so once a question otherwise
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
    else:  # before the first question, which has a limit of time
        importlib.import_module("pandas")
    return partial(answer, package, as_matrix=as_matrix)


def answer(package: Package, asked: Ask, *, as_matrix: bool = False) -> Frame:
    """Return what the model says to a question."""
    table = table_of(asked, package.signature.columns)
    table.params = asked.options
    if asked.verb != "predict":
        return Failed(kind="NotFound", message=f"this process cannot {asked.verb}")
    found = outcome_of(package, table, as_matrix=as_matrix)
    return Failed(kind=found.kind, message=found.args[0]) if isinstance(found, ModelError) else saying(found)


def _received(link: socket.socket) -> Ask | None:
    """Return the next question, None where the engine has hung up."""
    head = _exactly(link, HEADER_BYTES)
    body = None if head is None else _exactly(link, int.from_bytes(head, "little"))
    if body is None:
        return None
    frame = unframed(body)
    assert isinstance(frame, Ask)
    return frame


def _exactly(link: socket.socket, size: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < size:
        part = link.recv(min(size - len(parts), 1 << 20))
        if not part:
            return None
        parts += part
    return bytes(parts)


def _end_with(life: int) -> None:
    os.read(life, 1)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:5])
    sys.stdout.flush()
    os._exit(0)
