"""Bodies that clients have packed."""

import zlib


def inflated(body: bytes, encoding: str, most: int) -> bytes | None:
    """Return the body without its `gzip` or `deflate`, at most one byte more than `most`; None where it is broken or cut off.

    A gzip body may have several members, one behind the other (RFC 1952): leaving out the second would answer half a request.
    """
    window = zlib.MAX_WBITS | 16 if encoding == "gzip" else zlib.MAX_WBITS
    found = bytearray()
    while True:
        inflater = zlib.decompressobj(window)
        try:
            found += inflater.decompress(body, most + 1 - len(found))
        except zlib.error:
            return None
        if len(found) > most:
            return bytes(found)
        if not inflater.eof:
            return None
        body = inflater.unused_data
        if not body:
            return bytes(found)
        if encoding != "gzip":
            return None
