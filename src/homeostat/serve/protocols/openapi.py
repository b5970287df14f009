"""GET /openapi.json: what is served here, for people and for generators of clients."""

from homeostat.serve.api_document import document
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.headers import as_json


async def described(desk: Desk, request: Request) -> Response:
    """The OpenAPI document, made from the signatures of the models that answer now."""
    from homeostat.serve.protocols import doors

    del request
    return as_json(document(desk, doors()))


PROTOCOL = Door(
    name="openapi",
    endpoints=(Endpoint(method="GET", path="/openapi.json", handler=described, summary="This document"),),
)
