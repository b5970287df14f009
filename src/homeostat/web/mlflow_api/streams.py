"""Files in and out, piece by piece: memory does not grow with their size, and no thread waits for a slow client."""

import asyncio
import mimetypes
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from starlette.responses import FileResponse, Response, StreamingResponse

from homeostat.core.ports.blobs import BlobStore, BlobWriter
from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.errors import invalid

_PIECE_BYTES = 1 << 20
_MOST_BUFFERS = 512  # of one writev; systems take 1024
# What people open in a browser as text; everything is sent as an attachment all the same.
_TEXT = frozenset(
    "txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst ipynb MLmodel MLproject".split()  # noqa: SIM905
)


async def take_in(call: Call, blobs: BlobStore, blob: str) -> int:
    """Write the body to a blob and return its size. Broken off, it leaves nothing: the blob is there when all of it is on disk."""
    assert call.receive is not None
    wanted = call.headers.get("content-length")
    upload = blobs.upload(blob)
    file = await asyncio.to_thread(upload.__enter__)
    try:
        size = await _pumped(call, file)
        if wanted is not None and wanted.isdecimal() and int(wanted) != size:
            raise invalid(f"The upload broke off: {size} of {wanted} bytes came.")  # noqa: TRY301 - the block must end with it
    except BaseException as error:
        await asyncio.shield(asyncio.to_thread(_end, upload, error))
        raise
    await asyncio.to_thread(upload.__exit__, None, None, None)
    return size


async def _pumped(call: Call, file: BlobWriter) -> int:
    """Receive while the piece before is being written."""
    assert call.receive is not None
    size, waiting, held, writing = 0, [], 0, None
    is_more = True
    try:
        while is_more:
            message = await call.receive()
            if message["type"] == "http.disconnect":
                raise invalid("The upload broke off.")
            is_more = message.get("more_body", False)
            if body := message.get("body", b""):
                waiting.append(body)
                held += len(body)
            if held >= _PIECE_BYTES or len(waiting) >= _MOST_BUFFERS or not is_more:
                if writing is not None:
                    await writing
                writing = asyncio.create_task(asyncio.to_thread(_write, file, waiting))
                size += held
                waiting, held = [], 0
    finally:
        if writing is not None:
            await writing
    return size


def _write(file: BlobWriter, pieces: list[bytes]) -> None:
    descriptor = file.fileno() if hasattr(file, "fileno") else None
    if descriptor is None:
        for piece in pieces:
            file.write(piece)
        return
    views = [memoryview(piece) for piece in pieces]
    while views:
        written = os.writev(descriptor, views)
        while views and written >= len(views[0]):
            written -= len(views.pop(0))
        if written:
            views[0] = views[0][written:]


def _end(upload: Any, error: BaseException) -> None:
    try:
        upload.__exit__(type(error), error, error.__traceback__)
    except BaseException as again:
        if again is not error:
            raise


def give_out(blobs: BlobStore, blob: str, *, name: str) -> Response:
    """Return the answer that carries a file, as an attachment that no browser runs. Ranges are answered where the file is local."""
    file = blobs.file(blob)
    headers = attachment(name)
    kind = media_type(name)
    if file is not None:
        return _File(file, headers=headers, media_type=kind)
    headers["content-length"] = str(blobs.size(blob))
    return StreamingResponse(_off_the_loop(blobs.chunks(blob)), headers=headers, media_type=kind)


class _File(FileResponse):
    chunk_size = _PIECE_BYTES


def attachment(name: str) -> dict[str, str]:
    """Return the headers that make a browser save a file and never show or run it."""
    ascii_name = "".join(c if (c.isalnum() and c.isascii()) or c in " ._-()" else "_" for c in name)
    return {
        "content-disposition": f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox; default-src 'none'",
        "cache-control": "no-cache",
    }


def media_type(name: str) -> str:
    """Return the type that a file's name tells.

    >>> media_type("MLmodel"), media_type("a.png"), media_type("a.bin")
    ('text/plain', 'image/png', 'application/octet-stream')
    """
    ending = PurePosixPath(name).suffix.removeprefix(".") or name
    if ending in _TEXT:
        return "text/plain"
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


async def _off_the_loop(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
