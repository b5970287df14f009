"""From a version's name to what answers for it: the package, its files checked, in this process or in one of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from homeostat.app.environments import Environments
from homeostat.app.wiring import House
from homeostat.core.duration import size_bytes
from homeostat.core.records.registry import ModelVersion
from homeostat.registry.health import UNHEALTHY
from homeostat.registry.versions import package_of

if TYPE_CHECKING:
    from homeostat.serve.evaluator import Evaluator, Quick
    from homeostat.serve.explain.explainers import Explainers
    from homeostat.serve.hosts.forks import Forks
    from homeostat.serve.hosts.host import HostSettings
    from homeostat.serve.switchboard import Load


def explainers(house: House) -> "Explainers":
    """Return what explains the versions of a project, to be made on the event loop that it is asked on."""
    from homeostat.serve.explain.explainers import Explained, Explainers

    process_of = _processes(house)

    def look(model: str, version: int) -> "Explained":
        with house.store.read() as tx:
            found = tx.models.get(model, version)
        package = package_of(found, blobs=house.blobs)
        signature = found.signature if found.source else None
        return Explained(package=package, signature=signature, settings=process_of(package))

    async def find(model: str, version: int) -> "Explained":
        return await asyncio.get_running_loop().run_in_executor(None, look, model, version)

    return Explainers(find, timeout_s=house.project.serve.timeout.total_seconds())


def _processes(house: House) -> "Callable[[Path], HostSettings]":
    """Return what tells how a package's process is started: in an environment of the version's own where the settings allow it and the server's does not have what it was made with."""
    settings = house.project.serve
    environments = Environments(house.place.state / "environments") if settings.environments == "own" else None

    def process_of(package: Path) -> "HostSettings":
        from homeostat.serve.hosts.host import HostSettings

        limit = None if settings.memory is None else size_bytes(settings.memory)
        python = None if environments is None else environments.interpreter(package)
        if environments is None or python is None:
            return HostSettings(memory_bytes=limit)
        return HostSettings(command=(str(python),), environment=environments.child_environment(), memory_bytes=limit)

    return process_of


def loader(
    house: House,
    *,
    on_unhealthy: Callable[[str, int, str], None] = lambda *_: None,
    on_healthy: Callable[[str, int], None] = lambda *_: None,
    on_found: Callable[[ModelVersion], None] = lambda _: None,
) -> "Load":
    """Return what loads a version, its files checked first: its compiled form where it has one that agrees, else a process of its own.

    `on_found` is told of each version that is to be loaded, in a thread.
    """
    settings = house.project.serve
    process_of = _processes(house)
    forks: Forks | None = None

    def find(model: str, version: int) -> "tuple[Path, ModelVersion, Quick | None]":
        from homeostat.train.compiled.session import load as load_compiled
        from homeostat.train.signature import from_json

        with house.store.read() as tx:
            found = tx.models.get(model, version)
        on_found(found)
        folder = package_of(found, blobs=house.blobs)
        return folder, found, load_compiled(folder, from_json(found.signature)) if settings.may_be_compiled else None

    async def load_version(model: str, version: int) -> "Evaluator | Quick":
        from homeostat.serve.hosts.forks import Forks
        from homeostat.serve.hosts.host import ONE_THREAD, Host

        nonlocal forks
        # in a thread, the session of a compiled model too: requests go on meanwhile
        elsewhere = asyncio.get_running_loop().run_in_executor
        folder, found, compiled = await elsewhere(None, find, model, version)
        if compiled is not None:
            return compiled
        process = await elsewhere(None, process_of, folder)
        if process.is_ours:
            forks = forks or Forks(ONE_THREAD)
            process = replace(process, forks=forks)
        host = Host(
            folder,
            signature=found.signature if found.source else None,
            settings=process,
            on_unhealthy=lambda reason: on_unhealthy(model, version, reason),
            on_healthy=lambda: on_healthy(model, version),
            given_up="it was given up before" if found.health == UNHEALTHY else None,
        )
        await host.start()
        return host

    return load_version
