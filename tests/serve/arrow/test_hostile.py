"""Streams that are cut, changed or made to hurt: refused, or answered where they still say something, and never a crash."""

import random
import struct
import subprocess
import sys

import pyarrow as pa
import pytest
from tests.serve.arrow.test_door import MOST_BYTES, ROW, SIGNATURE, House, answered, error_of, stream, table_of

from homeostat.core.errors import InvalidInput
from homeostat.serve.arrow.rows import rows_of
from homeostat.serve.arrow.stream import MOST_MESSAGES
from homeostat.serve.decoder import Decoder

SEED = 20240601
END = b"\xff\xff\xff\xff\x00\x00\x00\x00"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = House(tmp_path_factory.mktemp("hostile"))
    yield server
    server.close()


def sound():
    """Return streams of every text type and compression."""
    rows = [{**ROW, "c": city, "t": city * 3, "f": None} for city in ("Ulm", "Bonn", "a text that is no view in place")]
    kinds = (pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string()))
    return [
        stream(table_of(rows, c=kind, t=kind), compression=codec, rows=2)
        for kind in kinds
        for codec in (None, "zstd", "lz4")
    ]


@pytest.mark.parametrize(
    "body", [b"", b"\x00", b"\xff" * 8, END, b"ARROW1\x00\x00", b'{"rows": []}', b"\xff\xff\xff\xff\x7f\xff\xff\xff"]
)
def test_what_is_no_stream_is_refused(one, body):
    assert "Arrow" in error_of(one.arrow(body), 400)["message"]


def test_a_stream_cut_anywhere_is_refused(one):
    body = sound()[0]
    for end in range(0, len(body), 7):
        error_of(one.arrow(body[:end]), 400)
    assert "no end" in error_of(one.arrow(body[: -len(END)]), 400)["message"]
    assert "behind the end" in error_of(one.arrow(body + body), 400)["message"]
    assert answered(one.arrow(body)).num_rows == 3


def changed(body, chance):
    """Return the body with a few bytes, a number or a piece of it changed."""
    made = bytearray(body)
    for _ in range(chance.choice([1, 1, 2, 4])):
        at = chance.randrange(len(made))
        match chance.randrange(4):
            case 0:
                made[at] = chance.randrange(256)
            case 1:
                number = chance.choice([0, -1, 1, 2**31 - 1, -(2**31), 2**20, len(made)])
                made[at // 4 * 4 : at // 4 * 4 + 4] = struct.pack("<i", number)
            case 2:
                number = chance.choice([0, -1, 2**63 - 1, -(2**63), 2**40, len(made)])
                made[at // 8 * 8 : at // 8 * 8 + 8] = struct.pack("<q", number)
            case _:
                del made[at : at + chance.choice([1, 8, 64])]
    return bytes(made) or b"\x00"


def ask_changed(count, seed=SEED):
    """Read so many changed streams; whatever is not refused as a client's mistake is a fault of ours."""
    decoder = Decoder(SIGNATURE, time="at", key="customer", optional=("note",), max_rows=500)
    bodies, chance = sound(), random.Random(seed)
    refused = 0
    for number in range(count):
        body = changed(bodies[number % len(bodies)], chance)
        try:
            found = rows_of(decoder, body, most_bytes=MOST_BYTES)
        except InvalidInput:
            refused += 1
        else:
            assert found.table.height == len(found.keys) == len(found.times)
            found.table.rows()
            found.table.texts()
    return refused


def test_streams_of_changed_bytes_are_refused_or_read(one):
    print("seed", SEED)
    assert ask_changed(3000) > 500
    chance = random.Random(SEED)
    for body in sound():
        for _ in range(5):
            assert one.arrow(changed(body, chance)).status_code in (200, 400, 413, 422)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_many_more_streams_of_changed_bytes_are_refused_or_read():
    for seed in range(SEED + 1, SEED + 11):
        print("seed", seed)
        ask_changed(30_000, seed)


def test_more_messages_than_may_be_are_refused(one):
    sink = pa.BufferOutputStream()
    narrow = pa.record_batch({"note": pa.nulls(0)})
    with pa.ipc.new_stream(sink, narrow.schema) as writer:
        for _ in range(MOST_MESSAGES + 1):
            writer.write_batch(narrow)
    assert f"{MOST_MESSAGES} messages" in error_of(one.arrow(sink.getvalue().to_pybytes()), 400)["message"]


def test_columns_are_there_once_and_names_are_text(one):
    table = table_of([ROW])
    twice = pa.Table.from_arrays([*table.columns, table["f"]], names=[*table.column_names, "f"])
    assert "'f' is there twice" in error_of(one.arrow(stream(twice)), 400)["message"]
    body = stream(table)
    assert body.count(b"must") == 1
    error_of(one.arrow(body.replace(b"must", b"\xff\xfe\xfd\xfc")), 400, 422)


def test_thousands_of_columns_nobody_knows_are_told_by_the_first(one):
    table = pa.table({**{name: [value] for name, value in ROW.items()}, **{f"x{n}": [1] for n in range(900)}})
    assert len(error_of(one.arrow(stream(table)), 422)["fields"]) == 20


def test_texts_that_are_no_text_are_refused(one):
    for kind in (pa.string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())):
        body = stream(table_of([{**ROW, "c": "Ulm-in-Württemberg"}], c=kind))
        spoilt = body.replace("ü".encode(), b"\xff\xff")
        assert spoilt != body
        error_of(one.arrow(spoilt), 400)


def test_indices_beyond_the_dictionary_are_refused(one):
    for index in (5, -1):
        column = pa.DictionaryArray.from_arrays(pa.array([index], type=pa.int8()), pa.array(["Ulm"]), safe=False)
        error_of(one.arrow(stream(table_of([ROW]).set_column(3, "c", column))), 400)


def test_compression_as_it_was_before_arrow_1_is_refused(one):
    body = stream(table_of([{**ROW, "t": "ARROW:experimental_compression"}]))
    assert answered(one.arrow(body)).num_rows == 1  # in a value it means nothing
    batch = table_of([ROW]).to_batches()[0]
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch, custom_metadata={"ARROW:experimental_compression": "ZSTD"})
    assert "before 1.0" in error_of(one.arrow(sink.getvalue().to_pybytes()), 400)["message"]


def test_pyarrow_is_not_imported_before_a_request_speaks_it():
    code = "import sys, homeostat.serve.app, homeostat.app.inference; sys.exit('pyarrow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
