"""JSON Schemas of what models take and answer, made from their signatures, with examples."""

from collections.abc import Iterable, Mapping
from typing import Any

from homeostat.core.columns import Column, Kind, Signature
from homeostat.core.values import Json
from homeostat.serve.arrow import STREAM
from homeostat.serve.tensors import datatype_of, label_type

_TYPES: Mapping[Kind, Json] = {
    Kind.INTEGER: {"type": "integer", "minimum": -(2**63), "maximum": 2**63 - 1},
    Kind.FLOAT: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.CATEGORY: {"type": "string"},
    Kind.TEXT: {"type": "string"},
    Kind.DATETIME: {"type": "string", "format": "date-time"},
}
_EXAMPLES: Mapping[Kind, Any] = {
    Kind.INTEGER: 1,
    Kind.FLOAT: 0.5,
    Kind.BOOLEAN: True,
    Kind.CATEGORY: "a",
    Kind.TEXT: "some text",
    Kind.DATETIME: "2024-01-01T12:00:00Z",
}
_TEXT: Json = {"type": "string"}


def column_schema(column: Column) -> Json:
    """Return the schema of one value.

    >>> column_schema(Column(name="x", kind=Kind.FLOAT, nullable=True))
    {'type': ['number', 'null']}
    """
    found = dict(_TYPES[column.kind])
    return {**found, "type": [found["type"], "null"]} if column.nullable else found


def row_schema(signature: Signature) -> Json:
    """Return the schema of a row. The project's key and time columns may stand beside the features."""
    return {
        "type": "object",
        "required": list(signature.names),
        "properties": {column.name: column_schema(column) for column in signature.columns},
    }


def row_example(signature: Signature) -> Json:
    return {column.name: _EXAMPLES[column.kind] for column in signature.columns}


def label_schema(signature: Signature) -> Json:
    return {"enum": list(signature.classes)} if signature.classes else {"type": "number"}


def _body(properties: Json, required: list[str], *, example: Json, is_closed: bool = True) -> Json:
    made: Json = {"type": "object", "required": required, "properties": properties, "examples": [example]}
    return {**made, "additionalProperties": False} if is_closed else made


def predict_schemas(signature: Signature) -> Json:
    """Return `request` and `answer` of our own protocol."""
    rows = {"type": "array", "minItems": 1, "items": row_schema(signature)}
    one: Json = {"prediction": label_schema(signature)}
    if signature.classes:
        shares = {"type": "number", "minimum": 0, "maximum": 1}
        one["probabilities"] = {"type": "object", "properties": {str(label): shares for label in signature.classes}}
    answer = {
        "type": "object",
        "required": ["request_id", "model", "version", "predictions"],
        "properties": {
            "request_id": _TEXT,
            "model": _TEXT,
            "version": {"type": "integer"},
            "predictions": {
                "type": "array",
                "items": {"type": "object", "required": ["prediction"], "properties": one},
            },
        },
    }
    request = _body(
        {"rows": rows, "request_id": {**_TEXT, "minLength": 1, "maxLength": 128}, "key": {"type": ["string", "null"]}},
        ["rows"],
        example={"rows": [row_example(signature)]},
    )
    return {"request": request, "answer": answer, "also": [STREAM], "answers_also": [STREAM]}


def explain_schemas(signature: Signature) -> Json:
    """Return `request` and `answer` of explanations."""
    number: Json = {"type": "number"}
    contributions = {"type": "object", "properties": {column.name: number for column in signature.columns}}
    one: Json = {
        "prediction": label_schema(signature),
        "base": number,
        "output": number,
        "contributions": contributions,
    }
    if signature.classes:
        one["class"] = label_schema(signature)
    count: Json = {"type": ["integer", "null"]}
    answer = {
        "type": "object",
        "required": ["model", "version", "method", "unit", "explanations"],
        "properties": {
            "model": _TEXT,
            "version": {"type": "integer"},
            "method": {"enum": ["trees", "linear", "permutation"]},
            "unit": {"enum": ["margin", "probability", "value"]},
            "background_rows": count,
            "evaluations": count,
            "explanations": {"type": "array", "items": {"type": "object", "required": list(one), "properties": one}},
        },
    }
    return {"request": predict_schemas(signature)["request"], "answer": answer, "also": [STREAM]}


def labels_schemas(signature: Signature, groups: Iterable[str] = ()) -> Json:
    """Return `request` and `answer` of labels, which may bring the columns `groups`."""
    value = label_schema(signature)
    known = {"request_id": _TEXT, "row": {"type": "integer", "minimum": 0}, "key": _TEXT, "value": value}
    label: Json = {
        "type": "object",
        "anyOf": [{"required": ["request_id"]}, {"required": ["key"]}],
        "properties": known,
    }
    if columns := {name: {"type": ["string", "number", "boolean", "null"]} for name in groups}:
        known["groups"] = {"type": "object", "properties": columns, "additionalProperties": False}
        label["allOf"] = [{"anyOf": [{"required": ["value"]}, {"required": ["groups"]}]}]
    else:
        label["required"] = ["value"]
    said = signature.classes[0] if signature.classes else 0.5
    request = _body(
        {"labels": {"type": "array", "minItems": 1, "items": label}},
        ["labels"],
        example={"labels": [{"request_id": "the request's id", "row": 0, "value": said}]},
    )
    answer = {
        "type": "object",
        "required": ["accepted"],
        "properties": {"accepted": {"type": "integer"}, "unsampled": {"type": "integer"}},
    }
    return {"request": request, "answer": answer}


def infer_schemas(signature: Signature) -> Json:
    """Return `request` and `answer` of the Open Inference Protocol."""
    shape = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    tensor = {
        "type": "object",
        "required": ["name", "shape", "datatype"],
        "properties": {
            "name": _TEXT,
            "shape": shape,
            "datatype": _TEXT,
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
    }
    example = {
        "inputs": [
            {"name": c.name, "shape": [1], "datatype": datatype_of(c), "data": [_EXAMPLES[c.kind]]}
            for c in signature.columns
        ]
    }
    request = _body(
        {
            "id": _TEXT,
            "inputs": {"type": "array", "minItems": 1, "items": tensor},
            "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
            "parameters": {"type": "object"},
        },
        ["inputs"],
        example=example,
        is_closed=False,
    )
    names = ["predict", "probabilities"] if signature.classes else ["predict"]
    answer = {
        "type": "object",
        "required": ["model_name", "outputs"],
        "properties": {
            "outputs": {
                "type": "array",
                "items": {"type": "object", "properties": {"name": {"enum": names}, "datatype": _TEXT}},
                "description": f"`predict` is {label_type(signature)}",
            }
        },
    }
    return {"request": request, "answer": answer}


def invocations_schemas(signature: Signature) -> Json:
    """Return `request` and `answer` of MLflow's scoring protocol."""
    example = row_example(signature)
    rows = {"type": "array", "minItems": 1}
    split = {
        "type": "object",
        "required": ["data"],
        "properties": {"columns": {"type": "array", "items": _TEXT}, "data": {**rows, "items": {"type": "array"}}},
    }
    request: Json = {
        "type": "object",
        "properties": {
            "dataframe_split": split,
            "dataframe_records": {**rows, "items": row_schema(signature)},
            "instances": {"type": ["array", "object"]},
            "inputs": {"type": ["array", "object"]},
        },
        "minProperties": 1,
        "maxProperties": 1,
        "examples": [{"dataframe_split": {"columns": list(example), "data": [list(example.values())]}}],
    }
    answer = {
        "type": "object",
        "required": ["predictions"],
        "properties": {"predictions": {"type": "array", "items": label_schema(signature)}},
    }
    return {"request": request, "answer": answer, "also": ["text/csv"]}
