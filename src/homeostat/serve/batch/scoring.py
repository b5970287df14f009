"""One chunk through the model: rows that fit are answered, those that do not are set aside with what was expected of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from homeostat.core.columns import Column, Kind, Signature
from homeostat.core.errors import InvalidInput, InvalidRows, near
from homeostat.data.cast import cast
from homeostat.serve.arrow.answers import answer_columns, names_of
from homeostat.serve.batch.inputs import Chunk
from homeostat.track.predictions import Predictions
from homeostat.train.package import Package, predict

if TYPE_CHECKING:
    import pyarrow as pa

_EXPECTED = {
    Kind.INTEGER: "an integer of 64 bits",
    Kind.FLOAT: "a finite number",
    Kind.BOOLEAN: "true or false",
    Kind.CATEGORY: "text",
    Kind.TEXT: "text",
    Kind.DATETIME: "a time in ISO 8601",
}
_MOST_FIELDS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """`table`: the rows that were answered, as they came, with the answers behind; `rejects`: the others, as JSON objects."""

    number: int
    table: "pa.Table"
    rejects: list[dict[str, Any]] = field(default_factory=list)


def score(package: Package, chunk: Chunk) -> Scored:
    """Return the chunk with the model's answers; raise InvalidInput where a column of the signature is missing, or the model fails."""
    signature = package.signature
    _refuse_missing(chunk, signature)
    frame = pl.DataFrame(pl.from_arrow(chunk.table))
    features, faults = _fitting(frame, signature.columns)
    is_good = np.ones(frame.height, dtype=bool)
    is_good[list(faults)] = False
    features = features.filter(pl.Series(is_good))
    kept = _typed(chunk.table if is_good.all() else chunk.table.filter(is_good.tolist()), features, signature)
    predictions = predict(package, features)
    rejects = [_reject(chunk, frame, at, problems) for at, problems in faults.items()]
    return Scored(
        number=chunk.number,
        table=_joined(kept, predictions, signature),
        rejects=sorted([*_misshapen(chunk), *rejects], key=lambda each: each["row"]),
    )


def refuse(rejects: list[dict[str, Any]]) -> None:
    """Raise InvalidRows for the first of them, if there are any."""
    if not rejects:
        return
    first = rejects[0]
    problem = first["problems"][0]
    place = "" if problem["field"] is None else f"field '{problem['field']}': "
    more = f", and {len(rejects) - 1} more near it" * (len(rejects) > 1)
    raise InvalidRows(
        f"'{first['file']}', row {first['row']}: {place}expected {problem['expected']}, found {problem['found']}{more}",
        hint="correct it and run again with --restart, or set such rows aside: --on-bad skip --restart",
        fields=[{"row": each["row"], **found} for each in rejects for found in each["problems"]][:_MOST_FIELDS],
    )


def _refuse_missing(chunk: Chunk, signature: Signature) -> None:
    names = chunk.table.column_names
    for column in signature.columns:
        if column.name not in names:
            raise InvalidInput(
                f"'{chunk.file}' has no column '{column.name}', which the model needs",
                hint=near(column.name, names) or f"it has: {', '.join(names[:20])}",
            )
    for name in names_of(signature):
        if name in names:
            raise InvalidInput(f"'{chunk.file}' has a column '{name}' already", hint="rename it: the answers go there")


def _fitting(
    frame: pl.DataFrame, columns: tuple[Column, ...]
) -> tuple[pl.DataFrame, dict[int, list[dict[str, object]]]]:
    """Return the features in their types, and by row what does not fit."""
    faults: dict[int, list[dict[str, object]]] = {}
    features = []
    for column in columns:
        given = frame[column.name]
        result = cast(given, column.kind)
        bad = pl.Series([False] * len(given)) if result.bad is None else result.bad
        if column.kind is Kind.FLOAT:
            bad = bad | result.values.is_infinite().fill_null(value=False)
        if not column.nullable:
            bad = bad | result.values.is_null()
        for at in bad.fill_null(value=False).arg_true().to_list():
            expected = _EXPECTED[column.kind] + (" or nothing" if column.nullable else "")
            faults.setdefault(at, []).append({"field": column.name, "expected": expected, "found": _said(given[at])})
        features.append(result.values)
    return (pl.DataFrame(features) if features else pl.DataFrame(height=frame.height)), faults


def _said(value: Any) -> str:
    return "nothing" if value is None else repr(value)[:80]


def _typed(table: "pa.Table", features: pl.DataFrame, signature: Signature) -> "pa.Table":
    """Return the rows with the features that came as text (all of CSV does) in the types that the model took them as."""
    import pyarrow as pa

    for column in signature.columns:
        at = table.schema.get_field_index(column.name)
        if column.kind not in (Kind.CATEGORY, Kind.TEXT) and pa.types.is_string(table.schema.field(at).type):
            table = table.set_column(at, column.name, features[column.name].to_arrow())
    return table


def _joined(table: "pa.Table", predictions: Predictions, signature: Signature) -> "pa.Table":
    for name, values in answer_columns(predictions, signature).items():
        table = table.append_column(name, values)
    return table


def _reject(chunk: Chunk, frame: pl.DataFrame, at: int, problems: list[dict[str, object]]) -> dict[str, Any]:
    values = {name: value if value is None else str(value) for name, value in frame.row(at, named=True).items()}
    return {"file": chunk.file, "row": chunk.row(at), "problems": problems, "values": values}


def _misshapen(chunk: Chunk) -> list[dict[str, Any]]:
    return [
        {
            "file": chunk.file,
            "row": line.row,
            "problems": [{"field": None, "expected": f"{line.expected} fields", "found": f"{line.found}"}],
            "values": {"line": line.text},
        }
        for line in chunk.misshapen
    ]
