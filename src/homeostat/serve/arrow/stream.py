"""Arrow IPC streams of strangers: what they would take in memory is known before anything is decompressed.

https://arrow.apache.org/docs/format/Columnar.html (IPC streaming format). pyarrow reads the frames and verifies their headers; where buffers
are compressed, the headers are read here too (format/Message.fbs), since a buffer of a few bytes may claim gigabytes.
"""

import struct
from typing import TYPE_CHECKING, Any

from homeostat.core.errors import InvalidInput
from homeostat.serve.border import TooLarge

if TYPE_CHECKING:
    import pyarrow as pa

MOST_MESSAGES = 1000  # dictionaries that grow from message to message are put together again each time
_EXPERIMENTAL = b"ARROW:experimental_compression"  # how writers before Arrow 1.0 said it
_HINT = "send a whole Arrow IPC stream: pyarrow.ipc.new_stream(...), closed at its end"
_DICTIONARY, _BATCH = "dictionary", "record batch"


def refuse_large(body: bytes, most_bytes: int) -> None:
    """Raise InvalidInput where the body is no whole stream, TooLarge where its buffers say that they would become larger than `most_bytes`."""
    import pyarrow as pa

    source = pa.BufferReader(body)
    room, messages, at = most_bytes, 0, 0
    try:
        reader = pa.ipc.MessageReader.open_stream(source)
        while True:
            try:
                message = reader.read_next_message()
            except StopIteration:
                break
            at, messages = source.tell(), messages + 1
            if messages > MOST_MESSAGES:
                raise InvalidInput(
                    f"the stream has more than {MOST_MESSAGES} messages", hint="write the rows in fewer batches"
                )
            if message.type in (_DICTIONARY, _BATCH):
                room -= _inflated(message)
                if room < 0:
                    raise TooLarge(
                        f"the stream's buffers are longer than {most_bytes} bytes when inflated",
                        hint="send fewer rows at once, or raise serve.max_body",
                    )
    except (pa.ArrowException, OSError, struct.error) as error:
        raise broken(error) from error
    end = source.tell()
    if end == at:
        raise InvalidInput("the stream has no end" if at else "the body is no Arrow stream: it is empty", hint=_HINT)
    if end != len(body):
        raise InvalidInput(f"{len(body) - end} bytes behind the end of the stream", hint="send one stream")


def broken(error: Exception) -> InvalidInput:
    """Return what to say of a stream that cannot be read."""
    return InvalidInput(f"the body is no Arrow stream: {str(error)[:200]}", hint=_HINT)


def _inflated(message: "pa.ipc.Message") -> int:
    """Return the bytes that the compressed buffers of a message say they hold, 0 without compression."""
    head = message.metadata.to_pybytes()
    if _EXPERIMENTAL in head:
        raise InvalidInput("the stream is compressed as Arrow did before 1.0", hint="send it uncompressed, or by zstd")
    fields = _Flat(head, _at(head, 0))
    batch = fields.table(2)
    if message.type == _DICTIONARY:
        batch = batch.table(1)
    if not batch.has(3):
        return 0
    body = message.body
    return sum(_claimed(body, offset, length) for offset, length in batch.pairs(2))


def _claimed(body: Any, offset: int, length: int) -> int:
    """Return the length before a compressed buffer; -1 there means that it was left as it is."""
    if length == 0:
        return 0
    if offset < 0 or length < 8 or offset + length > body.size:
        raise InvalidInput("the body is no Arrow stream: a buffer lies outside of it", hint=_HINT)
    (claimed,) = struct.unpack("<q", body[offset : offset + 8].to_pybytes())
    if claimed < -1:
        raise InvalidInput("the body is no Arrow stream: a buffer of less than nothing", hint=_HINT)
    return length if claimed == -1 else int(claimed)


def _at(data: bytes, position: int) -> int:
    """Return where an offset of FlatBuffers points to."""
    return int(position + struct.unpack_from("<I", data, position)[0])


class _Flat:
    """A table of FlatBuffers: its fields by number, through its vtable."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._position = position
        self._vtable = position - struct.unpack_from("<i", data, position)[0]
        if self._vtable < 0:
            raise struct.error("a vtable before the message")
        self._size = struct.unpack_from("<H", data, self._vtable)[0]

    def _field(self, number: int) -> int:
        """Return where a field is, 0 where it is not."""
        entry = 4 + 2 * number
        if entry + 2 > self._size:
            return 0
        offset = struct.unpack_from("<H", self._data, self._vtable + entry)[0]
        return self._position + offset if offset else 0

    def has(self, number: int) -> bool:
        return self._field(number) != 0

    def table(self, number: int) -> "_Flat":
        field = self._field(number)
        if not field:
            raise struct.error("a part of the message is missing")
        return _Flat(self._data, _at(self._data, field))

    def pairs(self, number: int) -> list[tuple[int, int]]:
        """Return a vector of structs of two 64-bit integers."""
        field = self._field(number)
        if not field:
            return []
        start = _at(self._data, field)
        (count,) = struct.unpack_from("<I", self._data, start)
        return list(struct.iter_unpack("<qq", self._data[start + 4 : start + 4 + 16 * count]))
