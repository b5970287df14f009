"""Which of the native door's two languages a request speaks, JSON or Arrow, and which it wants to hear."""

import asyncio
from functools import partial

from homeostat.core.columns import Signature
from homeostat.core.duration import size_bytes
from homeostat.core.errors import InvalidInput
from homeostat.serve.answer import Answer
from homeostat.serve.arrow import STREAM
from homeostat.serve.beside import MOST_BYTES, MOST_ROWS, beside
from homeostat.serve.decoder import Asked, Decoder
from homeostat.serve.door import Desk
from homeostat.serve.exchange import Request, Response
from homeostat.serve.wire import answer_body

_ARROW = "application/vnd.apache.arrow."
_JSON = "application/json"


class NotThatForm(InvalidInput):
    """The body is in a form that is not read."""

    code = "unsupported_media_type"
    http_status = 415


async def read_rows(desk: Desk, request: Request, decoder: Decoder) -> Asked:
    """Return what the body asks. An Arrow stream is read in a thread, where the event loop does not wait for it."""
    form = _form(request)
    if not form.startswith(_ARROW):
        return await beside(partial(decoder.body, request.body), is_long=len(request.body) > MOST_BYTES)
    if form != STREAM:
        raise NotThatForm(f"a body of the type '{form[:80]}' is not read", hint=f"send an Arrow stream: {STREAM}")
    from homeostat.serve.arrow.rows import rows_of

    def read() -> Asked:
        return Asked(rows=rows_of(decoder, request.body, most_bytes=size_bytes(desk.settings.max_body)))

    return await asyncio.get_running_loop().run_in_executor(None, read)


async def told(request: Request, answer: Answer, signature: Signature) -> Response:
    """Return the answer as the request wants it: `Accept` says so, else it is in the language of the body."""
    if not wants_arrow(request):
        return Response(body=await beside(partial(answer_body, answer), is_long=len(answer.predictions) > MOST_ROWS))
    from homeostat.serve.arrow.answers import answer_stream

    body = await asyncio.get_running_loop().run_in_executor(None, answer_stream, answer, signature)
    return Response(body=body, media_type=STREAM)


def wants_arrow(request: Request) -> bool:
    accepted = request.headers.get("accept", "").lower()
    if STREAM in accepted:
        return True
    return _form(request) == STREAM and _JSON not in accepted


def _form(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()
