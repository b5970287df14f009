"""The values of an Arrow column as NumPy has them, and as JSON would have said them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Column, Kind
from homeostat.serve.border import TooLarge
from homeostat.serve.validate import Foreign

if TYPE_CHECKING:
    import pyarrow as pa

Array = npt.NDArray[Any]
Sort = Literal["boolean", "number", "text", "time", "foreign"]

_EXACT = 2**53  # integers up to here are floats without loss
_INT64 = 2**63 - 1
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # of the years 1 and 9999


@dataclass(slots=True)
class Room:
    """What texts may take in all (a dictionary's entry of megabytes may be named by every row), and the dictionaries read."""

    left: int
    most: int
    dictionaries: dict[Any, tuple["pa.Array", "Cells"]] = field(default_factory=dict)

    def words(self, dictionary: "pa.Array") -> "Cells":
        """Return the cells of a dictionary, read once however many columns and batches share it."""
        buffers = [None if buffer is None else buffer.address for buffer in dictionary.buffers()]
        place = (dictionary.type, dictionary.offset, len(dictionary), *buffers)
        found = self.dictionaries.get(place)
        if found is None:
            found = self.dictionaries[place] = (
                dictionary,
                cells_of(dictionary, self),
            )  # held: its address stays its own
        return found[1]

    def take(self, size_bytes: int) -> None:
        self.left -= size_bytes
        if self.left < 0:
            raise TooLarge(
                f"the texts of the rows are longer than {self.most} bytes",
                hint="send fewer rows at once, or raise serve.max_body",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Values of shape (n_rows,) and whether each is null (NaN is). `time`: datetime64[us], UTC; `text` and `foreign`: objects."""

    sort: Sort
    values: Array
    nulls: npt.NDArray[np.bool_]

    @classmethod
    def join(cls, parts: Sequence["Cells"]) -> "Cells":
        """Return the cells of one column, batch after batch."""
        if len(parts) == 1:
            return parts[0]
        nulls = np.concatenate([part.nulls for part in parts])
        if len({part.sort for part in parts}) > 1:  # times, some of which no calendar has
            listed: list[Any] = [value for part in parts for value in part.listed()]
            values = np.empty(len(listed), dtype=object)
            values[:] = listed
            return cls("foreign", values, nulls)
        return cls(parts[0].sort, np.concatenate([part.values for part in parts]), nulls)

    def listed(self) -> list[Any]:
        """Return Python's values, None for null: what JSON would have said."""
        values: list[Any] = self.values.tolist()
        if self.sort == "time":
            values = [None if value is None else value.replace(tzinfo=UTC) for value in values]
        if self.nulls.any():
            values = [None if is_null else value for value, is_null in zip(values, self.nulls.tolist(), strict=True)]
        return values

    def fitting(self, column: Column) -> Array | None:  # noqa: PLR0911 - one case for each kind
        """Return the array that a table has for the column (`Table.arrays`), None where single values need a closer look."""
        has_null = bool(self.nulls.any())
        if has_null and not column.nullable:
            return None
        match column.kind:
            case Kind.FLOAT if self.sort == "number":
                return self._floats()
            case Kind.INTEGER if self.sort == "number":
                return self._integers()
            case Kind.BOOLEAN if self.sort == "boolean":
                return np.where(self.nulls, np.nan, self.values.astype(np.float64)) if has_null else self.values
            case Kind.CATEGORY | Kind.TEXT if self.sort == "text":
                return self.values
            case Kind.DATETIME if self.sort == "time":
                return self.values
            case _:
                return None

    def _floats(self) -> Array | None:
        numbers = self.values.astype(np.float64)
        numbers[self.nulls] = np.nan
        return None if np.isinf(numbers).any() else numbers

    def _integers(self) -> Array | None:
        values = self.values
        if values.dtype.kind == "i" and not self.nulls.any():
            return values.astype(np.int64)
        if values.dtype.kind == "u" and len(values) and int(values.max()) > _INT64:
            return None
        known = values[~self.nulls]
        # with nulls a table has floats
        if not np.isfinite(known).all() or (np.abs(known.astype(np.float64)) > _EXACT).any() or (known % 1 != 0).any():
            return None
        if len(known) == len(values):
            return values.astype(np.int64)
        numbers = values.astype(np.float64)
        numbers[self.nulls] = np.nan
        return numbers


def cells_of(array: "pa.Array", room: Room) -> Cells:  # noqa: PLR0911 - one case for each type
    """Return the values of an array of a stranger; of a type that no column is, what to call them. Raises ArrowInvalid, TooLarge."""
    import pyarrow as pa

    kind, types = array.type, pa.types
    is_dictionary = types.is_dictionary(kind)
    array.validate(full=not is_dictionary)  # a dictionary is looked at once, its indices below
    nulls = _nulls(array)
    if is_dictionary:
        return _of_dictionary(array, nulls, room)
    if types.is_null(kind):
        return Cells("number", np.zeros(len(array)), np.ones(len(array), dtype=np.bool_))
    if types.is_boolean(kind):
        return Cells("boolean", _bits(array.buffers()[1], array), nulls)
    if types.is_integer(kind) or types.is_floating(kind):
        values = _raw(array, kind.to_pandas_dtype())
        return Cells("number", values, nulls | np.isnan(values) if values.dtype.kind == "f" else nulls)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        room.take(int(_lengths(array)[~nulls].sum()))
        return Cells("text", array.to_numpy(zero_copy_only=False), nulls)
    if types.is_timestamp(kind) or types.is_date(kind):
        return _of_times(array, nulls)
    return Cells("foreign", _told(len(array), f"a value of Arrow's type {str(kind)[:60]}"), nulls)


# What the buffers hold is read by NumPy: pyarrow's own conversions turn integers with nulls into floats, or need its compute functions.


def _raw(array: "pa.Array", dtype: Any) -> Array:
    """Return the fixed-width values; at nulls they may be anything."""
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.zeros(len(array), dtype=dtype)
    return np.frombuffer(buffer, dtype=dtype, count=array.offset + len(array))[array.offset :]


def _bits(buffer: Any, array: "pa.Array") -> npt.NDArray[np.bool_]:
    if buffer is None or not len(array):
        return np.zeros(len(array), dtype=np.bool_)
    stop = array.offset + len(array)
    packed = np.frombuffer(buffer, dtype=np.uint8, count=(stop + 7) // 8)
    return np.unpackbits(packed, count=stop, bitorder="little")[array.offset :].astype(np.bool_)


def _nulls(array: "pa.Array") -> npt.NDArray[np.bool_]:
    validity = array.buffers()[0] if array.null_count else None
    return np.zeros(len(array), dtype=np.bool_) if validity is None else ~_bits(validity, array)


def _lengths(array: "pa.Array") -> npt.NDArray[np.int64]:
    """Return the bytes of each text; of a null it may be anything."""
    import pyarrow as pa

    start, stop = array.offset, array.offset + len(array)
    if not len(array):
        return np.zeros(0, dtype=np.int64)
    buffer = array.buffers()[1]
    if pa.types.is_string_view(array.type):  # sixteen bytes each, the length first
        return np.frombuffer(buffer, dtype=np.int32, count=4 * stop)[0::4][start:].astype(np.int64)
    dtype = np.int64 if pa.types.is_large_string(array.type) else np.int32
    return np.diff(np.frombuffer(buffer, dtype=dtype, count=stop + 1)[start:]).astype(np.int64)


def _of_dictionary(array: "pa.DictionaryArray", nulls: npt.NDArray[np.bool_], room: Room) -> Cells:
    import pyarrow as pa

    words = room.words(array.dictionary)
    at = np.where(nulls, 0, _raw(array.indices, array.type.index_type.to_pandas_dtype())).astype(np.int64)
    if nulls.all():
        return Cells("number", np.zeros(len(array)), nulls)
    if at.min() < 0 or at.max() >= len(words.values):
        raise pa.ArrowInvalid("an index beyond its dictionary")
    nulls = nulls | words.nulls[at]
    values = words.values[at]
    if words.sort == "text":
        room.take(int(_lengths(array.dictionary)[at][~nulls].sum()))
        values[nulls] = None
    return Cells(words.sort, values, nulls)


def _of_times(array: "pa.Array", nulls: npt.NDArray[np.bool_]) -> Cells:
    import pyarrow as pa

    if pa.types.is_date32(array.type):
        ticks, unit = _raw(array, np.int32).astype(np.int64) * 86_400, "s"
    else:
        ticks, unit = _raw(array, np.int64), "ms" if pa.types.is_date64(array.type) else array.type.unit
    per_second = _PER_SECOND[unit]
    seconds = ticks // per_second
    beyond = ((seconds < _FIRST_SECOND) | (seconds > _LAST_SECOND)) & ~nulls
    ticks = np.where(nulls | beyond, 0, ticks)
    microseconds = ticks // 1000 if unit == "ns" else ticks * (10**6 // per_second)
    values = microseconds.view("datetime64[us]")
    values[nulls] = np.datetime64("NaT")
    if not beyond.any():
        return Cells("time", values, nulls)
    told = np.array([value and value.replace(tzinfo=UTC) for value in values.tolist()], dtype=object)
    told[beyond] = Foreign("a time beyond the years 1 to 9999")
    return Cells("foreign", told, nulls)


def _told(count: int, words: str) -> Array:
    values = np.empty(count, dtype=object)
    values[:] = Foreign(words)
    return values
