"""GET /: what a person sees who opens the address of the server: which models answer, where to ask them, and where to read on."""

from urllib.parse import quote, urlsplit

import msgspec

from homeostat import __version__
from homeostat.core.errors import Conflict, NotFound
from homeostat.core.values import Json
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response

_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - recognised, not bound
_NONE_YET = "no model answers yet: `homeostat status` says how far a first one is, and what it waits for"


async def front(desk: Desk, request: Request) -> Response:
    """What is served here, and where the API's description and the pages are."""
    models = {name: _model(desk, name) for name in sorted(desk.plane.routes)}
    said: Json = {
        "server": f"homeostat {__version__}, inference",
        "models": models,
        "openapi": "/openapi.json",
        "health": "/health",
        "metrics": "/metrics",
        "pages": _pages(desk, request),
    }
    if not any(model["answers"] for model in models.values()):
        said["hint"] = _NONE_YET
    return Response(body=msgspec.json.format(msgspec.json.encode(said), indent=2) + b"\n")


def _model(desk: Desk, name: str) -> Json:
    """Return who answers for a model, and where it is asked."""
    try:
        version = desk.plane.served(name).version
    except (Conflict, NotFound):
        version = None
    at = f"/models/{quote(name, safe='')}"
    return {"answers": None if version is None else f"version {version}", "predict": f"{at}/predict", "takes": at}


def _pages(desk: Desk, request: Request) -> str:
    """Return the address of the control process, by the name under which this one was asked where it listens at every address."""
    host = desk.settings.host
    if host.strip("[]") in _EVERYWHERE:
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname or host
    return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{desk.settings.control_port}/"


PROTOCOL = Door(
    name="front",
    endpoints=(Endpoint(method="GET", path="/", handler=front, summary="What is served here, and where to read on"),),
)
