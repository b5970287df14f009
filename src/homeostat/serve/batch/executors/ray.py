"""On a Ray cluster: the package travels with the tasks, so its machines share no folder with this one.

A cluster that is there is joined by RAY_ADDRESS; without one, Ray starts on this machine. It listens for code to run, and beyond loopback:
Ray replaces 127.0.0.1 by the machine's own address. So token authentication is always on.
"""

import os
from collections import deque
from collections.abc import Iterator
from typing import Any

from homeostat.core.errors import MissingExtra
from homeostat.serve.batch.executor import Executor, Model
from homeostat.serve.batch.inputs import Chunk
from homeostat.serve.batch.scoring import Scored

AHEAD = 2  # chunks per processor under way: the next is there when one is done, and memory stays bounded


def run(model: Model, chunks: Iterator[Chunk]) -> Iterator[Scored]:
    ray = joined()
    files = {
        str(path.relative_to(model.folder)): path.read_bytes() for path in model.folder.rglob("*") if path.is_file()
    }
    package = ray.put((files, model.signature))
    task = ray.remote(max_retries=3)(_score)
    most = max(1, int(ray.cluster_resources().get("CPU", 1))) * AHEAD
    waiting: deque[Any] = deque()
    for chunk in chunks:
        if len(waiting) >= most:
            yield ray.get(waiting.popleft())
        waiting.append(task.remote(package, chunk))
    while waiting:
        yield ray.get(waiting.popleft())


def joined() -> Any:
    """Return Ray, started or joined; raise MissingExtra where it is not installed."""
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError as error:
        raise MissingExtra("a batch on Ray needs Ray, which is not installed", extra="ray") from error
    if not ray.is_initialized():
        if os.environ.get("RAY_ADDRESS"):
            ray.init(log_to_driver=False)
        else:
            ray.init(include_dashboard=False, log_to_driver=False)
    return ray


_LOADED: dict[str, Any] = {}


def _score(package: Any, chunk: Chunk) -> Scored:
    """Answer a chunk in a worker of Ray, which loads the package once."""
    from homeostat.serve.batch.scoring import score

    files, signature = package
    return score(_loaded(files, signature), chunk)


def _loaded(files: dict[str, bytes], signature: Any) -> Any:
    import hashlib
    import tempfile
    from pathlib import Path

    from homeostat.train.package import read_package

    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}:{len(content)}:".encode() + content)
    if digest.hexdigest() not in _LOADED:
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            _LOADED[digest.hexdigest()] = read_package(Path(folder), signature=signature)
    return _LOADED[digest.hexdigest()]


EXECUTOR = Executor(name="ray", run=run)
