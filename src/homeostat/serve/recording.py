"""What of an answer goes into the record: which requests (sampling), and which columns not as they are (personal data).

A value that is hashed becomes HMAC-SHA256 under a key that stays in the state folder (RFC 2104, cut to 128 bits): the same value has the same
hash, so that labels still find their rows, and nobody without the key can try out who is meant.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from homeostat.core.columns import Column, Kind, Param
from homeostat.serve.settings import CALLER, KEY, PARAMS
from homeostat.serve.table import Row, Table

_PREFIX = "hmac-"
_HEX_DIGITS = 32
_HASHABLE = frozenset([Kind.CATEGORY, Kind.TEXT])
_encode = msgspec.json.Encoder().encode


def in_sample(request_id: str, share: float) -> bool:
    """Return whether a request is among the share that is recorded. A greater share keeps all that a smaller one has.

    >>> in_sample("r1", 1.0), in_sample("r1", 0.0)
    (True, False)
    """
    digest = hashlib.blake2b(f"sample\x1f{request_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) < share * 2**64


def hashed(value: str, secret: bytes) -> str:
    """Return what stands in the record for a text.

    >>> hashed("anna", b"secret") == hashed("anna", b"secret") != hashed("anna", b"other")
    True
    """
    return _PREFIX + hmac.digest(secret, value.encode(), "sha256").hex()[:_HEX_DIGITS]


class Recording:
    """Rules of one record. `share` of requests are kept; columns in `drop` become null, those in `hashes` their hash under `secret`.

    The names `key`, `caller` and `params` mean those of the request, all of them, and a param by the name of such a column is treated as it is; its key is also meant by the name of `key_column`. Columns that are neither text nor
    category have no place for a hash: they become null.
    """

    def __init__(
        self,
        *,
        share: float = 1.0,
        drop: Iterable[str] = (),
        hashes: Iterable[str] = (),
        key_column: str | None = None,
        secret: bytes = b"",
        groups: Mapping[str, Kind | None] = MappingProxyType({}),
    ) -> None:
        self.share = share
        self._drop = frozenset(drop)
        self._hashes = frozenset(hashes)
        self._secret = secret
        self.groups = groups
        """Columns that labels may bring beside the truth, with their kinds where the project names them."""
        key_names = {KEY, key_column}
        self.drops_key = bool(key_names & self._drop)
        self._hashes_key = bool(key_names & self._hashes)
        self.is_whole = share >= 1.0
        """Whether every request is recorded."""
        self.is_plain = not (self._drop or self._hashes)
        """Whether everything is recorded as it is."""

    def takes(self, request_id: str) -> bool:
        """Return whether the request is recorded: the same for all versions that see it, and for its labels."""
        return self.is_whole or in_sample(request_id, self.share)

    def key(self, value: str | None) -> str | None:
        """Return a request's, row's or label's key as it is recorded."""
        if value is None or self.drops_key:
            return None
        return hashed(value, self._secret) if self._hashes_key else value

    def caller(self, value: str | None) -> str | None:
        if value is None or CALLER in self._drop:
            return None
        return hashed(value, self._secret) if CALLER in self._hashes else value

    def params(self, values: Mapping[str, Any]) -> str | None:
        """Return a request's params as they are recorded: a JSON object, or the hash of it all."""
        if not values or PARAMS in self._drop:
            return None
        if PARAMS in self._hashes:
            return hashed(_encode(values).decode(), self._secret)
        kept = {name: value for name, value in values.items() if name not in self._drop}
        if self._hashes:
            kept |= {name: self._hash(value) for name, value in kept.items() if name in self._hashes}
        return _encode(kept).decode()

    def personal(self, columns: Iterable[Column]) -> list[str]:
        """Return which of the columns must not be recorded as they are."""
        return [column.name for column in columns if self._is_personal(column.name)]

    def personal_params(self, params: Iterable[Param]) -> list[str]:
        """Return which of the params must not be recorded as they are."""
        are_all = self._is_personal(PARAMS)
        return [param.name for param in params if are_all or self._is_personal(param.name)]

    def _is_personal(self, name: str) -> bool:
        return name in self._drop or name in self._hashes

    def kept(self, table: Table) -> Table:
        """Return the rows as they are recorded."""
        if self.is_plain or not self.personal(table.columns):
            return table
        return Table.of_rows(table.columns, self._redacted(table.columns, table.rows()))

    def _redacted(self, columns: Sequence[Column], rows: Sequence[Row]) -> list[Row]:
        at = {i: column for i, column in enumerate(columns) if self.personal([column])}
        return [tuple(self._value(at[i], v) if i in at else v for i, v in enumerate(row)) for row in rows]

    def _value(self, column: Column, value: object) -> str | None:
        if value is None or column.name in self._drop or column.kind not in _HASHABLE:
            return None
        return self._hash(value)

    def _hash(self, value: object) -> str:
        return hashed(value if isinstance(value, str) else _encode(value).decode(), self._secret)


EVERYTHING = Recording()
