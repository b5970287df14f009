"""Binary tensors against a slow, obviously right parser: the same are taken, with the same values, and nothing else than a refusal is raised."""

import json
import math
import struct
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
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


def seldom(draw, chances=12):
    return draw(st.integers(0, chances)) == 1


@st.composite
def one_tensor(draw, name, kind, rows, width):
    """Return a tensor that mostly fits, and its bytes."""
    datatype = draw(st.sampled_from([*FORMATS, "BYTES", "FP65"])) if seldom(draw, 4) else OWN[kind]
    count = rows * width
    if datatype == "BYTES":
        texts = [draw(st.binary(max_size=5) | st.text(max_size=5).map(str.encode)) for _ in range(count)]
        lengths = [len(text) + (draw(st.integers(-2, 2)) if seldom(draw, 40) else 0) for text in texts]
        raw = b"".join(struct.pack("<I", length % 2**32) + text for length, text in zip(lengths, texts, strict=True))
    else:
        raw = b"".join(draw(a_number(datatype)) for _ in range(count))
    if seldom(draw):
        raw = draw(st.binary(max_size=24))
    shape = draw(st.sampled_from([[rows], [rows, 1]])) if width == 1 else [rows, width]
    if seldom(draw):
        shape = draw(st.lists(st.integers(-2, 6) | st.sampled_from([2**31, 2**63, 2**70]), max_size=3))
    size = len(raw)
    if seldom(draw, 20):
        size = draw(st.integers(-9, 40) | st.sampled_from([None, True, 8.0, "8", 2**70, [8]]))
    return {"name": name, "shape": shape, "datatype": datatype, "parameters": {"binary_data_size": size}}, raw


def a_number(datatype):
    """Return the bytes of a number: one of all, or one that matters."""
    form = "<" + FORMATS.get(datatype, "d")
    some = st.binary(min_size=struct.calcsize(form), max_size=struct.calcsize(form))
    if datatype.startswith("FP"):
        kept = [0.0, -0.0, 1.0, 2.5, math.nan, math.inf, -7.0, 65504.0]
        return some | st.sampled_from([struct.pack(form, value) for value in kept])
    return some | st.sampled_from([struct.pack(form, value) for value in (0, 1)])


@st.composite
def requests(draw):
    """Return (header, body, signature)."""
    signature = draw(st.sampled_from([NUMBERS, MIXED, ONE]))
    rows = draw(st.integers(0, MOST_ROWS + 1)) if seldom(draw, 6) else draw(st.integers(1, MOST_ROWS))
    if draw(st.booleans()) and signature is not MIXED:
        made = [draw(one_tensor("input-0", signature.columns[0].kind, rows, len(signature.columns)))]
    else:
        made = [draw(one_tensor(column.name, column.kind, rows, 1)) for column in signature.columns]
        made = draw(st.permutations(made))
    if seldom(draw):
        made = draw(st.lists(st.sampled_from(made), max_size=len(made) + 1))
    if made and seldom(draw):
        made[0][0]["name"] = draw(st.sampled_from(["z", "", "n", "a", "x", "input-0"]))
    head = json.dumps({"inputs": [tensor for tensor, _ in made]}).encode()
    body = head + b"".join(raw for _, raw in made)
    if seldom(draw, 20):
        body += draw(st.binary(max_size=9))
    if seldom(draw, 20):
        body = body[: draw(st.integers(len(head), len(body)))]
    header = str(len(head))
    if seldom(draw, 30):
        header = draw(
            st.sampled_from([f" {header}", f"+{header}", f"0{header}", "-1", "", str(len(body) + 1), "²", "9" * 5000])
        )
    return header, body, signature


def ours(decoder, header, body):
    """Return the rows and no error, or the refusal and no rows."""
    request = Request(method="POST", path="/", headers={"inference-header-content-length": header}, body=body)
    try:
        return rows_of(decoder, asked_of(request).inputs).table.rows(), None
    except HomeostatError as error:
        return None, error


def compare(seed, examples):
    decoders = {id(each): Decoder(each, max_rows=MOST_ROWS) for each in (NUMBERS, MIXED, ONE)}
    taken = refused = 0

    def check(case):
        nonlocal taken, refused
        header, body, signature = case
        try:
            wanted = reference(header, body, signature)
        except RefusedError:
            wanted = None
        found, error = ours(decoders[id(signature)], header, body)
        assert error is None or 400 <= error.http_status < 500, error
        assert (found is None) == (wanted is None), (found, wanted, error)
        if found is None:
            refused += 1
        else:
            assert list(map(repr, found)) == list(
                map(repr, wanted)
            )  # both zeros, and integers that are no floats, told apart
            taken += 1

    options = settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    seeded(seed)(options(given(requests())(check)))()
    assert min(taken, refused) > examples / 10, (taken, refused)


def test_binary_tensors_are_read_as_the_reference_reads_them(seed):
    compare(seed, 500)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_very_many_binary_tensors_are_read_as_the_reference_reads_them(seed):
    compare(seed, 50_000)
