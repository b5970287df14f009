"""A server of one candidate, for a probe: `python -P -m homeostat.serve.probe_server PACKAGE PARENT REPORT_FD HOW`.

It is the real application on the real server; only its record forgets. Reports one JSON object to the descriptor: `port` and `load_s`, or
`error`. Ends with its parent.
"""

import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from homeostat.core.errors import HomeostatError
from homeostat.core.records.routes import Route
from homeostat.core.values import Json
from homeostat.serve.door import Desk
from homeostat.serve.engine import Engine
from homeostat.serve.evaluator import Evaluator, ThreadEvaluator
from homeostat.serve.forgets import Forgets
from homeostat.serve.plane import Plane
from homeostat.serve.settings import ServeSettings
from homeostat.train.package import read_package
from homeostat.train.signature import from_json

MODEL = "candidate"


class _Now:
    def now(self) -> datetime:
        return datetime.now(UTC)


def main(package: Path, parent: int, report_fd: int, how: str) -> None:
    """Serve until the parent ends. `how` is JSON: `signature`, null where the package has it; `interpreter`, null or the `python` and `environment` of its own."""
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    start = time.perf_counter()
    told = json.loads(how)
    signature, interpreter = told["signature"], told["interpreter"]

    async def load(_model: str, _version: int) -> Evaluator:
        if interpreter is None:
            return ThreadEvaluator(read_package(package, signature=None if signature is None else from_json(signature)))
        from homeostat.serve.hosts.host import Host, HostSettings

        environment = {**os.environ, **interpreter["environment"]}
        settings = HostSettings(command=(interpreter["python"],), environment=environment)
        host = Host(package, signature=signature, settings=settings)
        await host.start()
        return host

    async def make() -> Desk:
        plane = Plane(load, Forgets(), _Now())
        await plane.switchboard.switch(Route(model=MODEL, generation=1, champion=1))
        return Desk(plane=plane, record=Forgets(), settings=ServeSettings(), clock=_Now(), new_id=lambda: uuid4().hex)

    engine = Engine(
        host="127.0.0.1",
        port=0,
        make=make,
        drain_s=0.5,
        on_ready=lambda port: _report(report_fd, {"port": port, "load_s": time.perf_counter() - start}),
    )
    try:
        engine.run()
    except HomeostatError as error:
        _report(report_fd, {"error": error.message, "hint": error.hint})


def _report(fd: int, value: Json) -> None:
    with os.fdopen(fd, "w", encoding="utf-8") as pipe:
        json.dump(value, pipe)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
    sys.stdout.flush()
    os._exit(0)
