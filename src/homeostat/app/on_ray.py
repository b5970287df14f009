"""The inference plane as a Ray Serve application: replicas on a cluster that follow the same routes, answer alike and write the same record.

Nothing else imports this: what serves one machine has no Ray in it. A cluster of Ray runs whatever code reaches its ports, and listens
beyond loopback. So neither `deploy` nor a replica starts without Ray's token authentication, and no address is guessed.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from homeostat.app.project import FILE, find, load
from homeostat.app.wiring import ARTIFACTS_VARIABLE, DATABASE_VARIABLE, RECORDS_VARIABLE
from homeostat.core.errors import InvalidInput, MissingExtra, NotAllowed

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from homeostat.serve.exchange import Request as Asked

SHARED = (DATABASE_VARIABLE, ARTIFACTS_VARIABLE, RECORDS_VARIABLE)
_TRAVEL = ("HOMEOSTAT_", "AWS_", "GOOGLE_", "AZURE_")
_NAME = "homeostat"
_RAYS_ID = "x-request-id"  # Ray's proxy gives every request one, which would contradict the id in its body


class _Given(NamedTuple):
    """What a replica is made from: the text of homeostat.yaml, whom paths without a model mean, and the variables that say where things are kept."""

    project: str
    model: str | None
    environment: dict[str, str]


def application(
    *,
    project: str | Path = FILE,
    model: str | None = None,
    replicas: int = 2,
    options: Mapping[str, Any] | None = None,
) -> Any:
    """Return the application, to be run by `ray.serve.run` or by `deploy`.

    `project`: homeostat.yaml or its folder, which travels with the replicas. `model`: whom paths without a model mean, the project's unless
    given. `options`: of the deployment, as in `serve.deployment` (`ray_actor_options`, `max_replicas_per_node`, `autoscaling_config`).
    Raises InvalidInput where replicas on other machines could not reach what is kept, MissingExtra where Ray Serve is not installed.
    """
    path = Path(project)
    path = find(path.resolve()) if path.is_dir() else path
    load(path)  # what is wrong in it is told here, not by a replica
    _refuse_unshared(os.environ)
    environment = {name: value for name, value in os.environ.items() if name.startswith(_TRAVEL)}
    given = _Given(path.read_text(encoding="utf-8"), model, environment)
    settings = {"num_replicas": replicas, "health_check_period_s": 2, "health_check_timeout_s": 10, **(options or {})}
    return _ray_serve().deployment(Replica, name=_NAME, **settings).bind(given)


def build(arguments: Mapping[str, str]) -> Any:
    """Return the application for Ray's own command: `serve run homeostat.app.on_ray:build project=homeostat.yaml replicas=4`."""
    known = {"project": FILE, "replicas": "2", "model": ""}
    unknown = sorted(arguments.keys() - known.keys())
    if unknown:
        raise InvalidInput(f"unknown argument '{unknown[0]}'", hint=f"known are {', '.join(sorted(known))}")
    said = {**known, **arguments}
    if not said["replicas"].isdecimal() or int(said["replicas"]) < 1:
        raise InvalidInput(f"'{said['replicas']}' is no number of replicas", hint="replicas=2")
    return application(project=said["project"], replicas=int(said["replicas"]), model=said["model"] or None)


def deploy(application: Any, *, address: str | None = None, host: str = "127.0.0.1", port: int = 8000) -> None:
    """Run the application on the cluster at `address`, RAY_ADDRESS unless given, and return when it answers at `host` and `port` of its head.

    Raises InvalidInput without an address, NotAllowed without token authentication.
    """
    where = address or os.environ.get("RAY_ADDRESS")
    if not where:
        raise InvalidInput(
            "no address of a Ray cluster", hint="RAY_ADDRESS=10.0.0.5:6379; `ray start --head` tells that of a new one"
        )
    refuse_without_token(os.environ)
    serve = _ray_serve()
    import ray

    if not ray.is_initialized():
        ray.init(address=where, log_to_driver=False)
    serve.start(http_options={"host": host, "port": port})
    serve.run(application, name=_NAME, route_prefix="/")


def refuse_without_token(environment: Mapping[str, str]) -> None:
    """Raise NotAllowed where whoever reaches the cluster's ports could run code on it."""
    if environment.get("RAY_AUTH_MODE") != "token":
        raise NotAllowed(
            "Ray listens beyond loopback and runs what it is sent, and its token authentication is off",
            hint="start every node and this program with RAY_AUTH_MODE=token and one RAY_AUTH_TOKEN (`ray get-auth-token --generate`)",
        )


def _refuse_unshared(environment: Mapping[str, str]) -> None:
    missing = [name for name in SHARED if not environment.get(name)]
    if missing:
        raise InvalidInput(
            f"replicas on other machines share a database, models and a record: {', '.join(missing)} is not set",
            hint='docs/serving.md, "Scale out", tells what to set',
        )
    if environment[DATABASE_VARIABLE].startswith("sqlite"):
        raise InvalidInput(
            f"{DATABASE_VARIABLE} is a SQLite file, which other machines do not see",
            hint="postgresql+psycopg://user@host/name",
        )


class Replica:
    """One replica: a worker like those of `homeostat up`, in a process of Ray. Promotions wait for it as for any."""

    async def __init__(self, given: _Given) -> None:  # type: ignore[misc] # Ray Serve awaits it
        from ray import serve

        from homeostat.app.inference import ServingWorker
        from homeostat.app.wiring import open_house
        from homeostat.core.duration import size_bytes
        from homeostat.serve.app import App

        refuse_without_token(os.environ)
        os.environ.update(given.environment)
        self._folder = tempfile.TemporaryDirectory(prefix="homeostat-")  # its state: a cache
        file = Path(self._folder.name) / FILE
        file.write_text(given.project, encoding="utf-8")
        worker_id = f"worker-ray-{serve.get_replica_context().replica_id.unique_id}"
        self._worker = ServingWorker(open_house(load(file), writer_id=worker_id, actor=worker_id), worker_id=worker_id)
        desk = await self._worker.open(default_model=given.model)
        self._most_bytes = size_bytes(desk.settings.max_body)
        self._app = App(desk)

    async def __call__(self, request: "Request") -> "Response":
        """Answer a request that Ray's proxy brings."""
        from starlette.responses import Response

        from homeostat.serve.app import refused

        try:
            asked = await _asked(request, most_bytes=self._most_bytes)
        except InvalidInput as error:
            found = refused(error, None)
        else:
            found = await self._app.answer(asked)
        return Response(found.body, found.status, dict(found.headers), found.media_type)

    def __del__(self) -> None:
        """Ray calls this when it ends a replica in peace."""
        if hasattr(self, "_worker"):
            self._worker.close()
            self._folder.cleanup()


async def _asked(request: "Request", *, most_bytes: int) -> "Asked":
    """Return the request as the plane takes it; raise InvalidInput where its body is too long or compressed."""
    from urllib.parse import quote

    from homeostat.serve.border import read_body
    from homeostat.serve.exchange import Request as Asked

    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidInput("compressed bodies are not taken here", hint="send it as it is")
    raw = request.scope.get("raw_path")
    return Asked(
        method=request.method,
        path=raw.decode("latin-1") if raw else quote(request.url.path),
        query=request.url.query,
        headers={name: value for name, value in request.headers.items() if name != _RAYS_ID},
        body=await read_body(request, most_bytes=most_bytes),
        client=request.client.host if request.client else "",
    )


def _ray_serve() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        from ray import serve
    except ImportError as error:
        raise MissingExtra(
            f"Ray Serve, with all that it stands on, is not installed here: {error}", hint="pip install 'ray[serve]'"
        ) from error
    return serve
