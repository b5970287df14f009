"""Binary tensors against a slow, obviously right parser: the same are taken, with the same values, and nothing else than a refusal is raised."""

import json
import math
import random
import struct
from dataclasses import dataclass

import pytest
from tests.serve.protocols.serving_both import NUMBERS

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import HomeostatError
from homeostat.serve.decoder import Decoder
from homeostat.serve.exchange import Request
from homeostat.serve.inference import asked_of
from homeostat.serve.tensors import rows_of

MIXED = Signature(
    task=Task.REGRESSION,
    columns=(
        Column(name="n", kind=Kind.INTEGER, nullable=False),
        Column(name="x", kind=Kind.FLOAT, nullable=True),
        Column(name="flag", kind=Kind.BOOLEAN, nullable=True),
        Column(name="city", kind=Kind.CATEGORY, nullable=True),
        Column(name="told", kind=Kind.TEXT, nullable=False),
    ),
    target="y",
)
ONE = Signature(task=Task.REGRESSION, columns=(Column(name="n", kind=Kind.INTEGER, nullable=True),), target="y")
MOST_ROWS = 5
FORMATS = {
    "BOOL": "?", "UINT8": "B", "UINT16": "H", "UINT32": "I", "UINT64": "Q", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q",
    "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip


class RefusedError(Exception):
    """By the reference."""


def need(is_so):
    if not is_so:
        raise RefusedError


@dataclass
class Tensor:
    name: str
    datatype: str
    shape: list
    size: object
    values: list | None = None


def reference(header, body, signature):
    """Return the rows that a request is, one value at a time."""
    need(header.isascii() and header.isdigit() and len(header) <= 18 and int(header) <= len(body))
    head, at = json.loads(body[: int(header)]), int(header)
    tensors = []
    for each in head["inputs"]:
        tensor = Tensor(each["name"], each["datatype"], each["shape"], each["parameters"]["binary_data_size"])
        need(type(tensor.size) is int and tensor.size >= 0 and at + tensor.size <= len(body))
        raw = body[at : at + tensor.size]
        at += tensor.size
        tensors.append((tensor, raw))
    need(at == len(body))
    need(tensors)
    for tensor, raw in tensors:
        tensor.values = read(tensor, raw)
    tensors = [tensor for tensor, _ in tensors]
    names = [column.name for column in signature.columns]
    first = tensors[0]
    if len(tensors) == 1 and (first.name not in names or (len(first.shape) == 2 and first.shape[1] > 1)):
        need(first.datatype != "BYTES" and len(first.shape) == 2 and first.shape[1] == len(names))
        rows = [first.values[at * len(names) : (at + 1) * len(names)] for at in range(first.shape[0])]
    else:
        need(sorted(tensor.name for tensor in tensors) == sorted(names))
        by_name = {tensor.name: tensor for tensor in tensors}
        need(all(len(tensor.shape) == 1 or tensor.shape[1] == 1 for tensor in tensors))
        need(len({len(tensor.values) for tensor in tensors}) == 1)
        rows = [[by_name[name].values[at] for name in names] for at in range(len(first.values))]
    need(1 <= len(rows) <= MOST_ROWS)
    return [
        tuple(value_of(value, column) for value, column in zip(row, signature.columns, strict=True)) for row in rows
    ]


def read(tensor, raw):
    need(1 <= len(tensor.shape) <= 2 and all(type(size) is int and size >= 0 for size in tensor.shape))
    found, at = [], 0
    while at < len(raw):
        if tensor.datatype == "BYTES":
            need(at + 4 <= len(raw))
            size = struct.unpack_from("<I", raw, at)[0]
            need(at + 4 + size <= len(raw))
            try:
                found.append(raw[at + 4 : at + 4 + size].decode("utf-8"))
            except UnicodeDecodeError:
                raise RefusedError from None
            at += 4 + size
        else:
            need(tensor.datatype in FORMATS)
            form = "<" + FORMATS[tensor.datatype]
            need(at + struct.calcsize(form) <= len(raw))
            found.append(struct.unpack_from(form, raw, at)[0])
            at += struct.calcsize(form)
    need(tensor.datatype in FORMATS or tensor.datatype == "BYTES")
    need(len(found) == math.prod(tensor.shape))
    return found


def value_of(value, column):
    if isinstance(value, float) and math.isnan(value):
        need(column.nullable)
        return None
    match column.kind:
        case Kind.FLOAT:
            need(type(value) in (int, float) and math.isfinite(value))
            return float(value)
        case Kind.INTEGER:
            need(type(value) in (int, float) and math.isfinite(value) and value == int(value))
            need(-(2**63) <= int(value) < 2**63)
            return int(value)
        case Kind.BOOLEAN:
            need(type(value) is bool)
            return value
        case Kind.CATEGORY:
            need(type(value) in (bool, int, str))
            return str(value).lower() if type(value) is bool else str(value)
        case _:
            need(type(value) is str)
            return value


OWN = {Kind.INTEGER: "INT64", Kind.FLOAT: "FP64", Kind.BOOLEAN: "BOOL", Kind.CATEGORY: "BYTES", Kind.TEXT: "BYTES"}


def seldom(rng, chances=12):
    return rng.randrange(chances + 1) == 1


def some_bytes(rng, most, least=0):
    return rng.randbytes(rng.randint(least, most))


def a_text(rng):
    """Return the bytes of a text, or some that may be none."""
    if rng.random() < 0.5:
        return some_bytes(rng, 5)
    return "".join(rng.choice("aZ 0\0\u00e9\u20ac\U0001f600") for _ in range(rng.randint(0, 5))).encode()


def one_tensor(rng, name, kind, rows, width):
    """Return a tensor that mostly fits, and its bytes."""
    datatype = rng.choice([*FORMATS, "BYTES", "FP65"]) if seldom(rng, 4) else OWN[kind]
    count = rows * width
    if datatype == "BYTES":
        texts = [a_text(rng) for _ in range(count)]
        lengths = [len(text) + (rng.randint(-2, 2) if seldom(rng, 40) else 0) for text in texts]
        raw = b"".join(struct.pack("<I", length % 2**32) + text for length, text in zip(lengths, texts, strict=True))
    else:
        raw = b"".join(a_number(rng, datatype) for _ in range(count))
    if seldom(rng):
        raw = some_bytes(rng, 24)
    shape = rng.choice([[rows], [rows, 1]]) if width == 1 else [rows, width]
    if seldom(rng):
        shape = [rng.choice([*range(-2, 7), 2**31, 2**63, 2**70]) for _ in range(rng.randint(0, 3))]
    size = len(raw)
    if seldom(rng, 20):
        size = rng.choice([*range(-9, 41), None, True, 8.0, "8", 2**70, [8]])
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}, raw


def a_number(rng, datatype):
    """Return the bytes of a number: one of all, or one that matters."""
    form = "<" + FORMATS.get(datatype, "d")
    if rng.random() < 0.5:
        return rng.randbytes(struct.calcsize(form))
    matter = [0.0, -0.0, 1.0, 2.5, math.nan, math.inf, -7.0, 65504.0] if datatype.startswith("FP") else [0, 1]
    return struct.pack(form, rng.choice(matter))


def a_request(rng):
    """Return (header, body, signature)."""
    signature = rng.choice([NUMBERS, MIXED, ONE])
    rows = rng.randint(0, MOST_ROWS + 1) if seldom(rng, 6) else rng.randint(1, MOST_ROWS)
    if rng.random() < 0.5 and signature is not MIXED:
        made = [one_tensor(rng, "input-0", signature.columns[0].kind, rows, len(signature.columns))]
    else:
        made = [one_tensor(rng, column.name, column.kind, rows, 1) for column in signature.columns]
        rng.shuffle(made)
    if seldom(rng):
        made = rng.choices(made, k=rng.randint(0, len(made) + 1))
    if made and seldom(rng):
        made[0][0]["name"] = rng.choice(["z", "", "n", "a", "x", "input-0"])
    head = json.dumps({"inputs": [tensor for tensor, _ in made]}).encode()
    body = head + b"".join(raw for _, raw in made)
    if seldom(rng, 20):
        body += some_bytes(rng, 9)
    if seldom(rng, 20):
        body = body[: rng.randint(len(head), len(body))]
    header = str(len(head))
    if seldom(rng, 30):
        header = rng.choice([f" {header}", f"+{header}", f"0{header}", "-1", "", str(len(body) + 1), "²", "9" * 5000])
    return header, body, signature


def ours(decoder, header, body):
    """Return the rows and no error, or the refusal and no rows."""
    request = Request(method="POST", path="/", headers={"inference-header-content-length": header}, body=body)
    try:
        return rows_of(decoder, asked_of(request).inputs).table.rows(), None
    except HomeostatError as error:
        return None, error


def compare(seed, examples):
    """Compare so many requests. Each has a seed of its own, so that one can be made again by itself."""
    decoders = {id(each): Decoder(each, max_rows=MOST_ROWS) for each in (NUMBERS, MIXED, ONE)}
    taken = refused = 0
    for at in range(examples):
        header, body, signature = a_request(random.Random(f"{seed}/{at}"))
        try:
            wanted = reference(header, body, signature)
        except RefusedError:
            wanted = None
        found, error = ours(decoders[id(signature)], header, body)
        told = (f"{seed}/{at}", header[:20], body, found, wanted, error)
        assert error is None or 400 <= error.http_status < 500, told
        assert (found is None) == (wanted is None), told
        if found is None:
            refused += 1
        else:  # both zeros, and integers that are no floats, told apart
            assert list(map(repr, found)) == list(map(repr, wanted)), told
            taken += 1
    assert min(taken, refused) > examples / 10, (taken, refused)


def test_binary_tensors_are_read_as_the_reference_reads_them(seed):
    compare(seed, 5_000)


@pytest.mark.long
def test_very_many_binary_tensors_are_read_as_the_reference_reads_them(seed):
    compare(seed, 200_000)
