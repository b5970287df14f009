"""The protocol of `mlflow models serve`: POST /invocations, as its clients and its documentation's curl lines send it.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/ (inference server specification). Answers {"predictions": [...]}.
"""

import csv
import io
import math
from collections.abc import Mapping
from functools import partial
from itertools import islice
from typing import Any

import msgspec

from homeostat.core.columns import Column, Kind
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.core.values import Json
from homeostat.serve.answer import Answer
from homeostat.serve.beside import MOST_BYTES, MOST_ROWS, beside
from homeostat.serve.bodies import keys_in, not_json, refuse_twice
from homeostat.serve.decoder import Decoder
from homeostat.serve.door import Desk, Door, Endpoint
from homeostat.serve.exchange import Request, Response
from homeostat.serve.generation import Served
from homeostat.serve.headers import as_json
from homeostat.serve.params import read_params
from homeostat.serve.questions import answered, served_by_default
from homeostat.serve.schemas import invocations_schemas
from homeostat.serve.validate import Rows

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_CODES = {
    400: "BAD_REQUEST",
    422: "BAD_REQUEST",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
}


async def invoke_default(desk: Desk, request: Request) -> Response:
    """Predictions of the project's model."""
    return await _invoked(desk, request, served_by_default(desk))


async def invoke(desk: Desk, request: Request) -> Response:
    """Predictions of a model by its name."""
    return await _invoked(desk, request, desk.plane.served(request.params["model"]))


async def _invoked(desk: Desk, request: Request, served: Served) -> Response:
    rows = await beside(partial(_read, request, served.decoder), is_long=len(request.body) > MOST_BYTES)
    answer = await answered(desk, request, served, rows)
    return await beside(partial(_told, answer), is_long=rows.table.height > MOST_ROWS)


def _read(request: Request, decoder: Decoder) -> Rows:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "text/csv":
        return decoder.rows(_of_csv(request.body, decoder))
    if kind in ("application/json", ""):
        records, params = _of_json(request.body, decoder)
        rows = decoder.rows(records)
        rows.table.params = params
        return rows
    raise InvalidInput(f"the content type '{kind[:60]}' is not taken", hint="send application/json or text/csv")


def _told(answer: Answer) -> Response:
    return as_json({"predictions": answer.predictions.labels.tolist()})


def _of_json(body: bytes, decoder: Decoder) -> tuple[list[Any], Mapping[str, Any]]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise not_json(body, error, hint='send {"dataframe_split": {"columns", "data"}}') from error
    refuse_twice(body, keys_in(value))
    if not isinstance(value, dict):
        raise InvalidInput("the body is not an object", hint=f"send one of {', '.join(_FORMS)}")
    unknown = sorted(value.keys() - {*_FORMS, "params", "signature_name"})
    given = [form for form in _FORMS if form in value]
    if unknown or len(given) != 1:
        found = f"unknown field '{unknown[0][:60]}'" if unknown else f"{len(given)} of the input forms are there"
        raise InvalidInput(f"{found}", hint=f"send exactly one of {', '.join(_FORMS)}, and params if wanted")
    form = given[0]
    params = read_params(value.get("params"), decoder.signature)
    return _READERS[form](value[form], decoder), params


def _split(value: Any, decoder: Decoder) -> list[Any]:
    if not isinstance(value, dict) or not isinstance(value.get("data"), list):
        raise InvalidInput(
            "dataframe_split is not {columns, data}", hint='send {"columns": [...], "data": [[...], ...]}'
        )
    decoder.refuse_count(len(value["data"]))  # before anything is made of them
    signature = decoder.signature
    columns = value.get("columns")
    names = list(signature.names) if columns is None else columns
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise InvalidInput(
            "columns is not a list of different names", hint=f"the model has {', '.join(signature.names[:5])}"
        )
    return [_named(names, row, at) for at, row in enumerate(value["data"])]


def _named(names: list[str], row: Any, at: int) -> dict[str, Any]:
    if not isinstance(row, list) or len(row) != len(names):
        found = f"{len(row)} values" if isinstance(row, list) else "no list"
        raise InvalidInput(
            f"row {at} is {found}, there are {len(names)} columns", hint="send one value for each column"
        )
    return dict(zip(names, row, strict=True))


def _records(value: Any, decoder: Decoder) -> list[Any]:
    del decoder
    if not isinstance(value, list):
        raise InvalidInput("dataframe_records is not a list", hint="send a list of objects")
    return value


def _instances(value: Any, decoder: Decoder) -> list[Any]:
    signature = decoder.signature
    if isinstance(value, list):
        decoder.refuse_count(len(value))
        if value and all(isinstance(row, list) for row in value):
            return [_named(list(signature.names), row, at) for at, row in enumerate(value)]
        if value and len(signature.columns) == 1 and not any(isinstance(row, dict | list) for row in value):
            return [{signature.names[0]: each} for each in value]
        return value
    if not isinstance(value, dict):
        raise InvalidInput(
            "the input is neither a list nor an object of columns", hint="send rows, or {column: [values]}"
        )
    lists = {name: each if isinstance(each, list) else [each] for name, each in value.items()}
    lengths = {len(each) for each in lists.values()}
    if len(lengths) != 1:
        raise InvalidInput("the columns are not of one length", hint="send one value for each row in every column")
    decoder.refuse_count(lengths.pop())
    flat = {name: [v[0] if isinstance(v, list) and len(v) == 1 else v for v in each] for name, each in lists.items()}
    return [dict(zip(flat, row, strict=True)) for row in zip(*flat.values(), strict=True)]


_READERS = {"dataframe_split": _split, "dataframe_records": _records, "instances": _instances, "inputs": _instances}


def _of_csv(body: bytes, decoder: Decoder) -> list[Any]:
    signature = decoder.signature
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        lines = list(islice(filter(None, reader), decoder.max_rows + 2))  # one more than is taken is too many
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(
            f"the body is no CSV: {error}", hint="send UTF-8 with a line of column names first"
        ) from error
    if len(lines) < 2:
        raise InvalidInput("the CSV has no rows", hint="send a line of column names, then the rows")
    names, rows = lines[0], lines[1:]
    decoder.refuse_count(len(rows))
    if len(set(names)) != len(names):
        raise InvalidInput("the CSV names a column twice", hint=f"the model has {', '.join(signature.names[:5])}")
    known = {column.name: column for column in signature.columns}
    found = [_named(names, row, at) for at, row in enumerate(rows)]
    return [{name: _typed(text, known.get(name)) for name, text in row.items()} for row in found]


def _typed(text: str, column: Column | None) -> Any:
    """Return a cell as the value that it says; what it does not say goes on as text, and is refused where it does not fit."""
    if text == "":
        return None
    if column is not None and column.kind is Kind.BOOLEAN:
        return {"true": True, "false": False, "1": True, "0": False}.get(text.strip().lower(), text)
    return _number(text, column.kind) if column is not None and column.kind.is_numeric else text


def _number(text: str, kind: Kind) -> Any:
    if not text.isascii() or "_" in text:  # Python would take other scripts' digits, and 1_000
        return text
    for convert in (int, float) if kind is Kind.INTEGER else (float,):
        try:
            number = convert(text)
        except ValueError:
            continue
        return None if math.isnan(number) else number
    return text


async def ping(desk: Desk, request: Request) -> Response:
    """Whether there is something to serve."""
    del request
    is_ready = any(route.champion is not None for route in desk.plane.routes.values())
    return Response(status=200 if is_ready else 503, body=b"\n", media_type="application/json")


async def version(desk: Desk, request: Request) -> Response:
    """The version of this server."""
    del desk, request
    from importlib.metadata import version as version_named

    return Response(body=version_named("homeostat").encode(), media_type="text/plain")


def errors(error: HomeostatError) -> Json:
    """Return an error as MLflow's clients read it."""
    told = error.message + (f" ({error.hint})" if error.hint else "")
    return {"error_code": _CODES.get(error.http_status, "INTERNAL_ERROR"), "message": told}


def _invoking(desk: Desk, model: str) -> Json:
    return invocations_schemas(desk.plane.signature(model))


PROTOCOL = Door(
    name="mlflow_scoring",
    endpoints=(
        Endpoint(method="POST", path="/invocations", handler=invoke_default, summary="MLflow: predict", errors=errors),
        Endpoint(
            method="POST",
            path="/models/{model}/invocations",
            handler=invoke,
            summary="MLflow: predict by name",
            schema=_invoking,
            errors=errors,
        ),
        Endpoint(method="GET", path="/ping", handler=ping, summary="MLflow: whether there is something to serve"),
        Endpoint(method="GET", path="/version", handler=version, summary="The version of this server"),
    ),
)
