"""Bytes of a text file: unpacked, checked to be UTF-8, and its lines counted."""

import csv
import io
import zlib

import numpy as np

from homeostat.core.errors import InvalidInput

_NEWLINE = ord("\n")
_QUOTE = b'"'


def decompressed(raw: bytes, *, name: str) -> bytes:
    """Return the content, unpacked by what its first bytes say it is; raise InvalidInput where it is broken."""
    import bz2
    import gzip
    import lzma
    import zipfile

    try:
        if raw.startswith(b"\x1f\x8b"):
            return gzip.decompress(raw)
        if raw.startswith(b"BZh"):
            return bz2.decompress(raw)
        if raw.startswith(b"\xfd7zXZ\x00"):
            return lzma.decompress(raw)
        if raw.startswith(b"\x28\xb5\x2f\xfd"):
            return _zstd(raw)
        if raw.startswith(b"PK\x03\x04"):
            return _only_member(raw, name=name)
    except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"'{name}' cannot be unpacked: {error}", hint="the file is cut off or damaged: copy it again"
        ) from error
    return raw


def _zstd(raw: bytes) -> bytes:
    import pyarrow as pa

    with pa.CompressedInputStream(pa.BufferReader(raw), "zstd") as stream:
        return bytes(stream.read())


def _only_member(raw: bytes, *, name: str) -> bytes:
    import zipfile

    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = [m for m in archive.infolist() if not m.is_dir() and not m.filename.startswith("__MACOSX/")]
        if len(members) != 1:
            listed = ", ".join(member.filename for member in members[:5])
            raise InvalidInput(
                f"'{name}' holds {len(members)} files{': ' + listed if listed else ''}",
                hint="unpack it and give one file, or a glob of all",
            )
        if members[0].flag_bits & 1:
            raise InvalidInput(f"'{name}' is encrypted", hint="unpack it first")
        return archive.read(members[0])


def refuse_not_utf8(text: bytes, *, name: str) -> None:
    """Raise InvalidInput that says the first bad byte, its line, the likely encoding and the command that converts."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError as error:
        at = error.start
        line = text.count(b"\n", 0, at) + 1
        likely = _likely_encoding(text)
        raise InvalidInput(
            f"'{name}' is not UTF-8: byte 0x{text[at]:02x} at offset {at:,} (line {line:,}); it looks like {likely}",
            hint=f"convert it: iconv -f {likely} -t UTF-8 OLD > NEW",
        ) from error
    zero = text.find(b"\0")
    if zero >= 0:
        likely = _likely_encoding(text)
        raise InvalidInput(
            f"'{name}' is not text: it has a zero byte at offset {zero:,}"
            + (f"; it looks like {likely}" if likely != "binary" else ""),
            hint=f"convert it: iconv -f {likely} -t UTF-8 OLD > NEW"
            if likely != "binary"
            else "export it as CSV or Parquet",
        )


def _likely_encoding(text: bytes) -> str:
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "UTF-16"
    head = text[:4000]
    if head.count(b"\0") > len(head) // 4:
        return "UTF-16LE" if head[1::2].count(b"\0") > head[::2].count(b"\0") else "UTF-16BE"
    if b"\0" in head:
        return "binary"
    try:
        text.decode("cp1252")
    except UnicodeDecodeError:
        return "ISO-8859-1"
    return "WINDOWS-1252"


def uneven_lines(text: bytes, separator: str, *, fields: int, name: str) -> bool:
    """Raise InvalidInput for the first row that does not have as many fields as the header; say whether lines are blank."""
    if _QUOTE in text:
        return _uneven_quoted(text, separator, fields=fields, name=name)
    array = np.frombuffer(text, dtype=np.uint8)
    ends = np.flatnonzero(array == _NEWLINE)
    if not len(ends) or ends[-1] != len(array) - 1:
        ends = np.append(ends, len(array))
    starts = np.concatenate([[0], ends[:-1] + 1])
    separators = np.flatnonzero(array == ord(separator))
    counts = np.searchsorted(separators, ends) - np.searchsorted(separators, starts) + 1
    lengths = ends - starts
    blank = (lengths == 0) | ((lengths == 1) & (array[np.minimum(starts, len(array) - 1)] == ord("\r")))
    wrong = np.flatnonzero((counts != fields) & ~blank)
    if len(wrong):
        raise _ragged(name, line=int(wrong[0]) + 1, found=int(counts[wrong[0]]), wanted=fields, more=len(wrong) - 1)
    return bool(blank.any())


def _uneven_quoted(text: bytes, separator: str, *, fields: int, name: str) -> bool:
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline=""), delimiter=separator)
    has_blank = False
    line = 1
    try:
        for row in reader:
            if len(row) != fields:
                if row:
                    raise _ragged(name, line=line, found=len(row), wanted=fields)
                has_blank = True
            line = reader.line_num + 1
    except csv.Error as error:
        raise InvalidInput(
            f"'{name}' is not well-formed CSV at line {line:,}: {error}", hint="look for a quote that is not closed"
        ) from error
    return has_blank


def _ragged(name: str, *, line: int, found: int, wanted: int, more: int = 0) -> InvalidInput:
    others = f" ({more:,} more such lines)" if more else ""
    return InvalidInput(
        f"line {line:,} of '{name}' has {found} field{'s' * (found != 1)}, the header has {wanted}{others}",
        hint="quote texts that hold the separator or a line break, or correct the line",
    )
