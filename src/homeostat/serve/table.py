"""Features of some rows on their way from a door to a model: the columns of a signature, in its order and kinds.

A request of a few rows stays as tuples until it is known who wants it how; a bulk request stays as a matrix where all columns are floats,
else as arrays. Nothing here imports a table library until `frame` or `pandas` is asked for: one row costs microseconds.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct, error
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt

from homeostat.core.columns import Column, Kind

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Array = npt.NDArray[Any]
Row = tuple[Any, ...]

_DTYPES: dict[Kind, Any] = {
    Kind.INTEGER: np.int64,
    Kind.FLOAT: np.float64,
    Kind.BOOLEAN: np.bool_,
    Kind.CATEGORY: object,
    Kind.TEXT: object,
    Kind.DATETIME: "datetime64[us]",
}
_NUMERIC = frozenset([Kind.INTEGER, Kind.FLOAT, Kind.BOOLEAN])
_encode = msgspec.json.Encoder().encode
TALL = 8  # rows, from which on they are worth a matrix, and one line of the record


class Table:
    """Rows of features, not to be changed. Values are Python's: None for null, times aware and UTC.

    `params`: what the request tells the model beside them, for those whose signature has some.
    """

    __slots__ = ("_arrays", "_matrix", "_objects", "_rows", "columns", "height", "params")

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        rows: list[Row] | None = None,
        arrays: list[Array] | None = None,
        height: int,
    ) -> None:
        self.columns = columns
        self.height = height
        self._rows = rows
        self._arrays = arrays
        self._objects: Sequence[Any] | None = None
        self._matrix: npt.NDArray[np.float64] | None = None
        self.params: Mapping[str, Any] = {}

    @classmethod
    def of_rows(cls, columns: Sequence[Column], rows: list[Row], *, objects: Sequence[Any] | None = None) -> "Table":
        """Return the table of tuples, each as wide as the columns. `objects`: what encodes to the JSON object of each row, where it is there."""
        found = cls(columns, rows=rows, height=len(rows))
        found._objects = objects
        return found

    @classmethod
    def of_arrays(
        cls,
        columns: Sequence[Column],
        arrays: list[Array],
        *,
        height: int,
        matrix: npt.NDArray[np.float64] | None = None,
    ) -> "Table":
        """Return the table of arrays as `arrays` gives them: shape (height,) each. `matrix`: the same as `matrix` gives it, where it is there."""
        found = cls(columns, arrays=arrays, height=height)
        found._matrix = matrix
        return found

    @classmethod
    def of_matrix(cls, columns: Sequence[Column], matrix: npt.NDArray[np.float64]) -> "Table":
        """Return the table of floats, shape (height, n_columns), NaN for null: for columns that are floats, all of them."""
        found = cls(columns, height=len(matrix))
        found._matrix = matrix
        return found

    @staticmethod
    def join(tables: Sequence["Table"]) -> "Table":
        """Return all rows, in order. The tables have the same columns, and no params where there are several."""
        if len(tables) == 1:
            return tables[0]
        first = tables[0]
        if all(table._rows is not None for table in tables):  # noqa: SLF001 - our own
            return Table.of_rows(first.columns, [row for table in tables for row in table.rows()])
        if first.is_float:
            return Table.of_matrix(first.columns, np.concatenate([table.matrix() for table in tables]))
        parts = [table.arrays() for table in tables]
        # a column that has nulls in one request only: numpy finds the common type
        arrays = [np.concatenate([part[i] for part in parts]) for i in range(len(first.columns))]
        return Table.of_arrays(first.columns, arrays, height=sum(table.height for table in tables))

    def slice(self, start: int, stop: int) -> "Table":
        """Return rows [start, stop)."""
        stop = min(stop, self.height)
        if self._rows is not None:
            return Table.of_rows(self.columns, self._rows[start:stop])
        if self._arrays is None:
            return Table.of_matrix(self.columns, self.matrix()[start:stop])
        return Table.of_arrays(self.columns, [a[start:stop] for a in self._arrays], height=max(0, stop - start))

    def fitted(self, columns: Sequence[Column]) -> "Table":
        """Return the table of another signature's columns; raise KeyError naming one that is not here."""
        if columns == self.columns:
            return self
        at = {column.name: i for i, column in enumerate(self.columns)}
        wanted = [at[column.name] for column in columns]
        if self._rows is not None:
            found = Table.of_rows(columns, [tuple(row[i] for i in wanted) for row in self._rows])
        else:
            arrays = self.arrays()
            found = Table.of_arrays(columns, [arrays[i] for i in wanted], height=self.height)
        found.params = self.params
        return found

    def rows(self) -> list[Row]:
        """Return the rows as tuples of Python values."""
        if self._rows is None:
            listed = [_plain(values, column) for values, column in zip(self.arrays(), self.columns, strict=True)]
            self._rows = list(zip(*listed, strict=True)) if listed else [()] * self.height
        return self._rows

    def arrays(self) -> list[Array]:
        """Return an array for each column: int64, float64 (NaN is null), bool, object (str or None), datetime64[us] (UTC, NaT is null).

        Integers with nulls are float64, booleans with nulls float64 (1, 0, NaN).
        """
        if self._arrays is None:
            if self._rows is None:
                self._arrays = list(self.matrix().T)
                return self._arrays
            listed = list(zip(*self._rows, strict=True)) if self._rows else [()] * len(self.columns)
            self._arrays = [_array(values, column) for values, column in zip(listed, self.columns, strict=True)]
        return self._arrays

    @property
    def is_numeric(self) -> bool:
        """Whether every column is a number or a boolean."""
        return all(column.kind in _NUMERIC for column in self.columns)

    @property
    def is_float(self) -> bool:
        """Whether every column is a float, and there are some."""
        return bool(self.columns) and all(column.kind is Kind.FLOAT for column in self.columns)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    def matrix(self) -> npt.NDArray[np.float64]:
        """Return shape (height, n_columns), NaN for null; only for tables that are numeric."""
        if self._matrix is not None:
            return self._matrix
        if self._rows is not None and self._arrays is None:
            self._matrix = packed(self._rows, len(self.columns))  # the model wants it, and then the record
            return self._matrix
        if not self.columns:
            return np.empty((self.height, 0))
        return np.column_stack([values.astype(np.float64, copy=False) for values in self.arrays()])

    def told_rows(self) -> list[Row]:
        """Return the rows as tuples of what JSON has: times as ISO 8601."""
        if any(column.kind is Kind.DATETIME for column in self.columns):
            return [tuple(_told(value) for value in row) for row in self.rows()]
        return self.rows()

    def texts(self) -> list[str]:
        """Return each row as a JSON object, as the record keeps it."""
        if self._objects is not None:
            return [_encode(each).decode() for each in self._objects]
        names = self.names
        return [_encode(dict(zip(names, row, strict=True))).decode() for row in self.told_rows()]

    def frame(self) -> "pl.DataFrame":
        """Return a Polars table, in the types that features have in the record."""
        import polars as pl

        if not self.columns:
            return pl.DataFrame(height=self.height)
        schema = schema_of(self.columns)
        listed = zip(*self.rows(), strict=True) if self.height else ([] for _ in self.columns)
        data = {column.name: list(values) for column, values in zip(self.columns, listed, strict=True)}
        return pl.DataFrame(data, schema=schema)

    def pandas(self) -> "pd.DataFrame":
        """Return the features as a model gets them, in the types of `train.frames.to_pandas`."""
        import pandas as pd

        if self.is_float:
            return pd.DataFrame(self.matrix(), columns=[column.name for column in self.columns])
        found = {}
        for column, values in zip(self.columns, self.arrays(), strict=True):
            typed = _for_models(values, column)
            found[column.name] = pd.Series(typed, dtype=typed.dtype)
        return pd.DataFrame(found, columns=list(found)) if found else pd.DataFrame(index=range(self.height))


@lru_cache(maxsize=64)
def _packer(width: int) -> Callable[..., bytes]:
    return Struct(f"{width}d").pack


def packed(rows: Sequence[Sequence[Any]], width: int) -> npt.NDArray[np.float64]:
    """Return rows of numbers as shape (rows, width), NaN for None. Three times as fast as numpy, which looks at each value's type first."""
    pack = _packer(width)
    try:
        found = np.frombuffer(bytearray().join([pack(*row) for row in rows]), dtype=np.float64)
    except (error, OverflowError):
        found = np.array(rows, dtype=np.float64)
    return found.reshape(len(rows), width)


def schema_of(columns: Sequence[Column]) -> "dict[str, pl.DataType]":
    """Return the Polars types that the columns of a request have, in their order."""
    from homeostat.data.cast import DTYPES

    return {column.name: DTYPES[column.kind] for column in columns}


def _array(values: Sequence[Any], column: Column) -> Array:
    if column.kind is Kind.DATETIME:
        naive = [None if value is None else value.astimezone(UTC).replace(tzinfo=None) for value in values]
        return np.array(naive, dtype="datetime64[us]")
    has_null = None in values
    dtype = np.float64 if has_null and column.kind in _NUMERIC else _DTYPES[column.kind]
    found = np.empty(len(values), dtype=dtype)
    found[:] = values
    return found


def _for_models(values: Array, column: Column) -> Array:
    if column.nullable and column.kind in (Kind.INTEGER, Kind.BOOLEAN):
        return values.astype(np.float64)
    if values.dtype != object:
        return values
    is_null = np.array([value is None for value in values], dtype=np.bool_)
    return np.where(is_null, np.nan, values) if is_null.any() else values


def _plain(values: Array, column: Column) -> list[Any]:
    listed: list[Any] = values.tolist()
    match column.kind:
        case Kind.DATETIME:
            return [None if value is None else value.replace(tzinfo=UTC) for value in listed]
        case Kind.FLOAT if not np.isnan(values).any():
            return listed
        case Kind.FLOAT:
            return [None if value != value else value for value in listed]  # noqa: PLR0124 - NaN is null
        case Kind.INTEGER | Kind.BOOLEAN if values.dtype.kind == "f":
            convert = int if column.kind is Kind.INTEGER else bool
            return [None if value != value else convert(value) for value in listed]  # noqa: PLR0124
        case _:
            return listed


def _told(value: Any) -> Any:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else value
