"""Bodies that are broken before anybody can speak of rows: refused at every door, and the door stays open."""

import gzip
import json
import struct
from functools import partial

import numpy as np
import pytest
from tests.serve.hostile.doors import (
    DOORS,
    GOOD,
    MOST_BODY,
    TWICE,
    Binary,
    Col,
    Csv,
    Http,
    Inputs,
    Instances,
    N,
    Native,
    Rpc,
    Split,
    Tensors,
    X,
    others,
    packed,
)
from tests.serve.hostile.test_rows import MISTAKES, asked_again

HTTP = [each for each in DOORS if issubclass(each, Http)]
JSON = [each for each in HTTP if each not in (Binary, Csv)]


def refused(door, ask, *words, status=MISTAKES):
    """What is asked is refused in these words and not recorded, and the next request is answered."""
    before = door.hall.recorded()
    told = ask()
    assert told.status in (status if isinstance(status, range) else [status]), told
    assert len(told.text) < 2000
    for word in words:
        assert word in told.text, (word, told.text)
    assert door.hall.recorded() == before
    asked_again(door)


BROKEN = {
    "empty": b"",
    "space": b" \n",
    "null": b"null",
    "a number": b"17",
    "a string": b'"rows"',
    "empty list": b"[]",
    "empty object": b"{}",
    "cut off": b'{"rows": [{"n": 1, "x": 0.2',
    "deep lists": b"[" * 90_000,
    "deep objects": b'{"a":' * 15_000,
    "deep and whole": b'{"inputs": ' + b"[" * 40_000 + b"]" * 40_000 + b"}",
    "invalid UTF-8": b'{"rows": [{"n": 1, "x": 0.5, "city": "\xff\xfe"}]}',
    "half a surrogate": b'{"inputs": [{"n": 1, "x": 0.5, "city": "\\ud800"}]}',
    "half a surrogate beside NaN": b'{"inputs": [{"\\ud800": NaN, "name": "\\udfff"}]}',
    "half a surrogate twice": b'{"inputs": [], "\\ud800": 1, "\\ud800": 2}',
    "UTF-16": '{"rows": []}'.encode("utf-16"),
    "a mark before it": b"\xef\xbb\xbf" + b'{"inputs": [[1, 0.5, "Ulm"]]}',
    "noughts": b"\0" * 1000,
    "two values": b"{} {}",
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("kind", HTTP)
def test_what_is_no_body_is_refused(hall, kind, case):
    door = kind(hall)
    refused(door, lambda: door.post(BROKEN[case]))


@pytest.mark.parametrize("body", [b"\xff" * 100, b"\x2a", b"\x2a\xff\xff\xff\xff\x0f", b"\x0a\x01\xff", b"\0"])
def test_what_is_no_message_is_refused_by_grpc(hall, body):
    door = Rpc(hall)
    refused(door, lambda: door.send(body), "ModelInferRequest", status=400)


@pytest.mark.parametrize("kind", HTTP)
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b" " * 30_000_000, mtime=0), 413),
        (gzip.compress(gzip.compress(b" " * 30_000_000, mtime=0), mtime=0), 400),
        (gzip.compress(b"{}", mtime=0)[:-3], 400),
        (gzip.compress(b"{}", mtime=0) + b"more", 400),
        (b"", 400),
    ],
    ids=["bomb", "bomb in a bomb", "cut off", "more behind it", "nothing"],
)
def test_packed_bodies_are_bounded_and_whole(hall, kind, body, status):
    door = kind(hall)
    refused(door, lambda: door.post(body, {"content-encoding": "gzip"}), status=status)


@pytest.mark.parametrize("kind", HTTP)
def test_a_body_packed_in_several_members_is_taken_whole(hall, kind):
    if kind is Binary:
        pytest.skip("has a header of its own")
    door = kind(hall)
    body = door.body(GOOD)
    parts = gzip.compress(body[:9], mtime=0) + gzip.compress(body[9:], mtime=0)
    assert door.post(parts, {"content-encoding": "gzip"}).values == [1.25, 2.5]


@pytest.mark.parametrize("kind", HTTP)
def test_a_body_that_is_too_long_is_refused_by_its_length(hall, kind):
    door = kind(hall)
    refused(door, lambda: door.post(b" " * (MOST_BODY + 1)), str(MOST_BODY), status=413)


@pytest.mark.parametrize("kind", JSON)
def test_a_field_that_is_there_twice_is_named_however_it_is_written(hall, kind):
    door = kind(hall)
    body = door.body(GOOD)
    outermost = json.loads(body).popitem()[0]
    again = body[:-1] + b', "%b": []}' % outermost.encode()
    refused(door, lambda: door.post(again), "twice", outermost, status=400)
    escaped = body[:-1] + b', "\\u%04x%b": []}' % (ord(outermost[0]), outermost[1:].encode())
    refused(door, lambda: door.post(escaped), "twice", outermost, status=400)


@pytest.mark.parametrize("text", ["a:b", ":" * 50, '":"', "\\u003a:", 'x":1,"x'])
@pytest.mark.parametrize("kind", DOORS)
def test_texts_may_look_like_fields(hall, kind, text):
    door = kind(hall)
    if kind is Csv:
        text = text.replace('"', "").replace(",", "")
    assert door.ask(others(Col("city", [text, text], "BYTES"))).values == [1.25, 2.5]


@pytest.mark.parametrize("kind", JSON)
def test_a_value_within_a_value_is_no_value(hall, kind):
    door = kind(hall)
    deep = [0.5]
    for _ in range(50):
        deep = [deep]
    for wrong in ([0.25], {"a": 1}, deep, []):
        refused(door, partial(door.ask, others(Col("x", [wrong, [wrong]], "FP64"))), "x")


@pytest.mark.parametrize("kind", [Native, Tensors, Split, Instances, Inputs])
def test_an_integer_of_many_digits_is_no_integer(hall, kind):
    door = kind(hall)
    for digits in (19, 20, 400, 4000, 40_000):
        body = door.body(others(Col("n", [77177, 1], "INT64"))).replace(b"77177", b"9" * digits)
        refused(door, partial(door.post, body))


@pytest.mark.parametrize(
    "text", ["1_0", "++5", "--1", "+", "٣", "²", "1" * 5000, "0x10", "1e", "1,0", " ", "1e400", "infinity", "1 2", "\0"]
)
def test_what_only_python_takes_for_a_number_is_none_in_csv(hall, text):
    door = Csv(hall)
    for column in (N, X):
        refused(door, partial(door.ask, others(Col(column.name, [text, 1], "FP64"))))


def test_csv_numbers_are_read_as_people_write_them(hall):
    for text, number in (("+1", 1), ("-2", -2), (" 3 ", 3), ("4.0", 4), ("1e2", 100)):
        assert Csv(hall).ask(others(Col("n", [text, 0], "INT64"), Col("x", [0.0, 0.0], "FP64"))).values == [number, 0]


@pytest.mark.parametrize("length", ["-1", "²", "٣", "9" * 5000, "1e3", "0x10", "", "99999999", "3", "+3"])
def test_a_length_of_the_json_that_lies_is_refused(hall, length):
    door = Binary(hall)
    refused(door, lambda: door.cut(GOOD, header=length.encode()), status=400)


SIZES = [len(packed(column)) for column in GOOD]
LIES = {
    "negative": ([SIZES[0], -8, SIZES[2]], b""),
    "one more": ([SIZES[0], SIZES[1] + 1, SIZES[2]], b""),
    "one less": ([SIZES[0], SIZES[1] - 1, SIZES[2]], b""),
    "all for the first": ([sum(SIZES), 0, 0], b""),
    "overlapping": ([SIZES[0] + SIZES[1], SIZES[1], SIZES[2]], b""),
    "huge": ([2**70, SIZES[1], SIZES[2]], b""),
    "a fraction": ([16.0, 16, SIZES[2]], b""),
    "a text": (["16", 16, SIZES[2]], b""),
    "a boolean": ([True, 16, SIZES[2]], b""),
    "a list": ([[16], 16, SIZES[2]], b""),
    "nothing at all": ([0, 0, 0], b""),
    "bytes behind": (SIZES, b"\0"),
    "none said": ([None, None, None], b""),
}


@pytest.mark.parametrize("case", LIES)
def test_lengths_of_tensors_that_lie_are_refused(hall, case):
    sizes, behind = LIES[case]
    door = Binary(hall)
    refused(door, lambda: door.cut(GOOD, sizes=sizes, behind=behind))


def texts(*lengths):
    """Return the column of cities with lengths of strings that lie."""
    return b"".join(struct.pack("<I", length) + b"Ulm" for length in lengths)


@pytest.mark.parametrize("lengths", [(3, 4), (3, 2), (4, 3), (2**32 - 1, 3), (0, 0), (3,), (3, 3, 3)])
@pytest.mark.parametrize("kind", [Binary, Rpc])
def test_lengths_of_strings_that_lie_are_refused(hall, kind, lengths):
    from homeostat.serve.rpc.messages import messages

    door, raw = kind(hall), texts(*lengths)
    tensors = [np.array([1, 2], "<i8").tobytes(), np.array([0.25, 0.5], "<f8").tobytes(), raw]
    if kind is Rpc:
        request = messages()["ModelInferRequest"](model_name="m", raw_input_contents=tensors)
        for c in GOOD:
            request.inputs.add(name=c.name, datatype=c.datatype, shape=[2])
        ask = partial(door.send, request.SerializeToString())
    else:
        inputs = [
            {"name": c.name, "shape": [2], "datatype": c.datatype, "parameters": {"binary_data_size": len(tensors[at])}}
            for at, c in enumerate(GOOD)
        ]
        head = json.dumps({"inputs": inputs}).encode()
        ask = partial(door.post, head + b"".join(tensors), {"inference-header-content-length": str(len(head))})
    refused(door, ask, "city")


SHAPES = [[3], [1], [], [2, 2], [1, 2], [2, 1, 1], [-2], [2**62, 2**62], [0], [2**70], [2**63], [2, -1], [0, 0]]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_that_lie_are_refused(hall, shape):
    door = Tensors(hall)
    inputs = json.loads(door.body(GOOD))["inputs"]
    inputs[1]["shape"] = shape
    refused(door, lambda: door.post(json.dumps({"inputs": inputs}).encode()), "'x'")
    for each in inputs:
        each["shape"] = shape
    refused(door, lambda: door.post(json.dumps({"inputs": inputs}).encode()))


def test_a_shape_of_one_column_is_a_column(hall):
    door = Tensors(hall)
    inputs = [{**each, "shape": [2, 1]} for each in json.loads(door.body(GOOD))["inputs"]]
    assert door.post(json.dumps({"inputs": inputs}).encode()).values == [1.25, 2.5]
    inputs = [{**each, "data": [[value] for value in each["data"]]} for each in inputs]
    assert door.post(json.dumps({"inputs": inputs}).encode()).values == [1.25, 2.5]
    inputs[1]["data"] = [[0.25, 0.5], []]
    assert "'x'" in door.post(json.dumps({"inputs": inputs}).encode()).text


@pytest.mark.parametrize("datatype", ["FP65", "fp64", "", "BYTES", "BOOL", "UINT8", "x" * 20_000])
def test_datatypes_that_do_not_fit_are_refused(hall, datatype):
    door = Tensors(hall)
    refused(door, lambda: door.post(door.body(others(Col("x", [0.25, 0.5], datatype)))), "'x'")


@pytest.mark.parametrize(("datatype", "value"), [("INT8", 128), ("UINT8", -1), ("INT64", 2**63), ("UINT64", 2**64)])
@pytest.mark.parametrize("beside", [1, None])
def test_numbers_beyond_their_datatype_are_refused(hall, datatype, value, beside):
    door = Tensors(hall)
    refused(door, lambda: door.ask(others(Col("x", [value, beside], datatype))), "'x'", datatype)


@pytest.mark.parametrize("headers", [{"x-request-timeout-ms": text} for text in ("nan", "-1", "0", "x", "inf", "")])
@pytest.mark.parametrize("kind", HTTP)
def test_a_time_that_is_none_is_refused(hall, kind, headers):
    if kind is Binary:
        pytest.skip("has a header of its own")
    door = kind(hall)
    refused(door, lambda: door.post(door.body(GOOD), headers), "X-Request-Timeout-Ms", status=400)


@pytest.mark.parametrize("milliseconds", ["1e308", "1e15", "86400000"])
def test_a_time_without_end_is_a_time(hall, milliseconds):
    door = Native(hall)
    assert door.post(door.body(GOOD), {"x-request-timeout-ms": milliseconds}).values == [1.25, 2.5]


def test_the_mark_for_a_second_column_is_nowhere_in_what_is_sent():
    """The test of the tests: names that are there twice are really sent twice."""
    body = Native(None).body((*GOOD, Col(TWICE + "x", [1.0, 2.0], "FP64")))
    assert body.count(b'"x"') == 4
    assert TWICE.encode() not in body
