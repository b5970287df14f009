"""The signature of a model compiled once: bodies of JSON become tables in one pass, with every value checked.

msgspec decodes straight into a type made from the signature. Whatever does not fit at once, or fits only by a conversion that the rules
allow (a number as a category, a whole float as an integer), goes the thorough way of `validate`, which also words what is wrong. So both
ways take the same and refuse the same; only their speed differs.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from homeostat.core.columns import Column, Kind, Signature
from homeostat.serve.bodies import PredictBody, predict_body, refuse_twice
from homeostat.serve.table import TALL, Table, packed
from homeostat.serve.validate import Rows, Validator, instant

_TYPES: dict[Kind, Any] = {
    Kind.INTEGER: int,
    Kind.FLOAT: float,
    Kind.BOOLEAN: bool,
    Kind.CATEGORY: str,
    Kind.TEXT: str,
    Kind.DATETIME: str,
}
_LONG = 2048  # bytes
_COLON = ord(":")
_INT64 = range(-(2**63), 2**63)
_KeyType = str | int | float | bool | None


class Asked(msgspec.Struct, kw_only=True, eq=False):
    """A native body: its rows, and what it says besides."""

    rows: Rows
    request_id: str | None = None
    key: str | None = None


class Decoder:
    """Reads rows for one signature. Not thread-safe beyond what msgspec is: its decoders are.

    `time` and `key` name columns that rows may have beside the features, `optional` others that are not looked at. `model`: for hints.
    """

    def __init__(
        self,
        signature: Signature,
        *,
        time: str | None = None,
        key: str | None = None,
        optional: Iterable[str] = (),
        max_rows: int = 10_000,
        model: str = "NAME",
    ) -> None:
        self.signature = signature
        self.time, self.key = time, key
        self._validator = Validator(signature, time=time, key=key, optional=optional, max_rows=max_rows, model=model)
        self._columns = signature.columns
        self._width = len(signature.columns)
        self._integers = [i for i, column in enumerate(self._columns) if column.kind is Kind.INTEGER]
        self._times = [i for i, column in enumerate(self._columns) if column.kind is Kind.DATETIME]
        self.is_float = bool(self._columns) and all(column.kind is Kind.FLOAT for column in self._columns)
        names = set(signature.names)
        extras = [name for name in dict.fromkeys([*filter(None, (time, key)), *optional]) if name not in names]
        self._time_at = self._place(time, extras)
        self._key_at = self._place(key, extras)
        self._decode = _body_decoder(self._columns, extras, key)

    def _place(self, name: str | None, extras: Sequence[str]) -> int | None:
        if name is None:
            return None
        names = [*self.signature.names, *extras]
        return names.index(name)

    def body(self, body: bytes) -> Asked:
        """Return what a native body asks; raise InvalidRows, whose `fields` name at most 20 places, or InvalidInput."""
        try:
            found = self._decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._thoroughly(predict_body(body))
        height = len(found.rows)
        if height > self._validator.max_rows:
            self.refuse_count(height)
        if colons(body) != height * self._width + 1:
            self._refuse_twice(body, found)
        if not height:
            self.refuse_count(height)
        rows = self._quick(found.rows)
        if rows is None:
            return self._thoroughly(predict_body(body))
        key = found.key
        return Asked(rows=rows, request_id=found.request_id, key=None if key is None else str(key))

    @property
    def known(self) -> frozenset[str]:
        """Return the names that columns of a request may have: the features, and what may stand beside them."""
        return self._validator.known

    @property
    def max_rows(self) -> int:
        return self._validator.max_rows

    def refuse_count(self, rows: int) -> None:
        """Raise InvalidRows for a request of no rows, or of more than are taken."""
        self._validator.refuse_count(rows)

    def rows(self, values: Sequence[Any]) -> Rows:
        """Return objects of features as a table; raise InvalidRows."""
        return self._validator.read(values)

    def _thoroughly(self, asked: PredictBody) -> Asked:
        return Asked(rows=self._validator.read(asked.rows), request_id=asked.request_id, key=asked.key)

    def _refuse_twice(self, body: bytes, found: Any) -> None:
        """Look for fields that are there twice, where a colon is left that is neither a known field's nor within a text."""
        values = [value for struct in found.rows for value in msgspec.structs.astuple(struct)]
        keys = 1 + sum(value is not msgspec.UNSET for value in values)
        keys += (found.request_id is not None) + (found.key is not None)
        if b"\\" not in body:  # nothing is escaped: texts have their colons in the body
            keys += sum(value.count(":") for value in [*values, found.request_id, found.key] if isinstance(value, str))
        refuse_twice(body, keys)

    def _quick(self, structs: Sequence[Any]) -> Rows | None:
        """Return the rows, None where a value needs a closer look."""
        astuple = msgspec.structs.astuple
        whole = [astuple(struct) for struct in structs]
        keys: list[str | None] = [None] * len(whole)
        times: list[datetime | None] = keys  # type: ignore[assignment]  # nothing but None, until there is more
        if self._key_at is not None:
            at = self._key_at
            keys = [None if row[at] is None or row[at] is msgspec.UNSET else str(row[at]) for row in whole]
        if self._time_at is not None:
            try:
                found = [row[self._time_at] for row in whole]
                times = [None if value is None or value is msgspec.UNSET else instant(value) for value in found]
            except (ValueError, OverflowError):
                return None
        width = self._width
        rows = whole if len(whole[0]) == width else [row[:width] for row in whole]
        # floats need no look: JSON has no NaN, and msgspec refuses numbers beyond a float's range
        if self._integers and not self._are_64_bits(rows):
            return None
        if self._times:
            try:
                rows = [self._with_times(row) for row in rows]
            except (ValueError, OverflowError):
                return None
        if self.is_float and len(rows) >= TALL:
            return Rows(table=Table.of_matrix(self._columns, packed(rows, width)), keys=keys, times=times)
        # without extras and times, the decoded objects are the record's text but for white space
        told = structs if len(whole[0]) == width and not self._times else None
        return Rows(table=Table.of_rows(self._columns, rows, objects=told), keys=keys, times=times)

    def _are_64_bits(self, rows: Sequence[tuple[Any, ...]]) -> bool:
        return all(row[i] is None or row[i] in _INT64 for row in rows for i in self._integers)

    def _with_times(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        values = list(row)
        for i in self._times:
            if values[i] is not None:
                values[i] = instant(values[i])
        return tuple(values)


def colons(body: bytes) -> int:
    """Return how many there are. numpy compares many bytes at once; asking it costs a microsecond."""
    if len(body) < _LONG:
        return body.count(b":")
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == _COLON))


def _refuse(body: bytes) -> Any:
    del body
    raise msgspec.DecodeError


def _body_decoder(columns: Sequence[Column], extras: Sequence[str], key: str | None) -> Any:
    """Return a decoder of `{"rows": [{...}], "request_id": ..., "key": ...}` for these columns; for names that need escapes, one that refuses all."""
    names = [column.name for column in columns]
    fields: list[Any] = []
    for i, column in enumerate(columns):
        kind = _TYPES[column.kind]
        fields.append((f"f{i}", kind | None if column.nullable else kind))
    for i, name in enumerate(extras, start=len(names)):
        fields.append((f"f{i}", _KeyType | msgspec.UnsetType if name == key else Any, msgspec.UNSET))
    rename = {f"f{i}": name for i, name in enumerate([*names, *extras])}
    try:
        row = msgspec.defstruct("Row", fields, rename=rename, forbid_unknown_fields=True, gc=False)
    except ValueError:  # quotes, backslashes and control characters in a name: the thorough way knows them
        return _refuse
    body = msgspec.defstruct(
        "Body",
        [("rows", list[row]), ("request_id", str | None, None), ("key", _KeyType, None)],  # type: ignore[valid-type]
        forbid_unknown_fields=True,
        gc=False,
    )
    return msgspec.json.Decoder(body).decode
