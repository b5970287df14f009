"""Lists of any length as answers: made piece by piece, in memory while they are small, else in a file without a name.

So memory does not grow with them, and a slow client holds no thread and no view of the database: all is read when the first byte goes out.
"""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import Any

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from homeostat.web.mlflow_api.endpoint import Reply

_IN_MEMORY_BYTES = 4 << 20
_PIECE_BYTES = 256 << 10
_encode = msgspec.json.Encoder().encode


def spooled(name: str, pieces: Iterable[list[Any]], *, token: str | None = None) -> Reply | Response:
    """Return the JSON object that holds a list, left out where it is empty, and the next page's token where there is one."""
    with ExitStack() as stack:
        file = stack.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES))
        for chunk in _json(name, pieces, token):
            file.write(chunk)
        size = file.tell()
        file.seek(0)
        if size <= _IN_MEMORY_BYTES:
            return Reply(file.read())
        stack.pop_all()
        return _Kept(file, size)


def _json(name: str, pieces: Iterable[list[Any]], token: str | None) -> Iterator[bytes]:
    before, is_begun = b'{"%s":[' % name.encode(), False
    for piece in pieces:
        if piece:
            yield b"," if is_begun else before
            yield _encode(piece)[1:-1]
            is_begun = True
    rest = _encode({} if token is None else {"next_page_token": token})
    if not is_begun:
        yield rest
    else:
        yield b"]}" if token is None else b"]," + rest[1:]


class _Kept(Response):
    """A JSON answer in a file, which goes with the answer."""

    def __init__(self, file: "SpooledTemporaryFile[bytes]", size: int) -> None:
        super().__init__(media_type="application/json", headers={"content-length": str(size)})
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - the protocol's
        with self._file:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece := await asyncio.to_thread(self._file.read, _PIECE_BYTES):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
