"""The native door in Arrow: the same answers, errors, limits and record as in JSON."""

import io
from datetime import UTC, date, datetime

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve.arrow import STREAM
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package

SIGNATURE = Signature(
    task=Task.BINARY,
    columns=(
        Column(name="f", kind=Kind.FLOAT),
        Column(name="i", kind=Kind.INTEGER),
        Column(name="b", kind=Kind.BOOLEAN),
        Column(name="c", kind=Kind.CATEGORY),
        Column(name="t", kind=Kind.TEXT),
        Column(name="d", kind=Kind.DATETIME),
        Column(name="must", kind=Kind.FLOAT, nullable=False),
    ),
    target="y",
    classes=("no", "yes"),
)
DAY = datetime(2024, 3, 1, 12, tzinfo=UTC)
ROW = {"f": 0.5, "i": 7, "b": True, "c": "Ulm", "t": "words", "d": DAY, "must": 0.25}
TYPES = {
    "f": pa.float64(),
    "i": pa.int64(),
    "b": pa.bool_(),
    "c": pa.string(),
    "t": pa.string(),
    "d": pa.timestamp("us", "UTC"),
    "must": pa.float64(),
}
MOST_BYTES = 200_000


class Mixes:
    """Answers by every column, so that a value that came through wrong shows."""

    def predict_proba(self, frame):
        texts = np.array([len(f"{c}{t}") for c, t in zip(frame["c"], frame["t"], strict=True)])
        days = frame["d"].to_numpy().astype("datetime64[us]").astype("int64") // 1_000_003
        numbers = frame["f"].fillna(3) + frame["i"].fillna(5) * 0.7 + frame["b"].fillna(0.5).astype(float)
        p = (np.sin(numbers + frame["must"]) + np.sin(texts) + np.sin(days) + 3) / 6
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class House:
    def __init__(self, folder):
        self.records = FileRecords(folder, writer_id="w")
        models = {"mixed": Package(model=Mixes(), signature=SIGNATURE)}
        models["late"] = Package(model=fakes.Says(0.75), signature=fakes.BINARY)
        models["price"] = Package(model=fakes.Answers([1.5, 2.5]), signature=fakes.REGRESSION)
        self.engine = fakes.EngineInThread(
            lambda model, _version: models[model],
            self.records,
            fakes.FixedClock(),
            settings=ServeSettings(max_body=f"{MOST_BYTES}B", max_rows=500),
            max_rows=500,
            key_column="customer",
            time_column="at",
            optional=("note",),
        )
        for name in models:
            self.engine.switch(Route(model=name, generation=1, champion=3))
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.engine.port}", timeout=30)

    def json(self, rows, model="mixed", **headers):
        told = [{k: v.isoformat() if isinstance(v, datetime | date) else v for k, v in row.items()} for row in rows]
        return self.client.post(f"/models/{model}/predict", json={"rows": told}, headers=headers)

    def arrow(self, body, path="/models/mixed/predict", **headers):
        given = {"content-type": STREAM, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.client.post(path, content=body, headers=given)

    def recorded(self, model="mixed"):
        return self.records.read("predictions", model)

    def close(self):
        self.client.close()
        assert self.engine.close(10)
        self.records.close()


@pytest.fixture
def house(tmp_path):
    server = House(tmp_path)
    yield server
    server.close()


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    server = House(tmp_path_factory.mktemp("arrow"))
    yield server
    server.close()


def stream(table, **options):
    sink = pa.BufferOutputStream()
    batches = table.to_batches(max_chunksize=options.pop("rows", None)) if isinstance(table, pa.Table) else [table]
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def table_of(rows, **types):
    kinds = {**TYPES, **types}
    return pa.table({name: pa.array([row.get(name) for row in rows], type=kinds.get(name)) for name in rows[0]})


def answered(response):
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == STREAM
    with pa.ipc.open_stream(response.content) as reader:
        return reader.read_all()


def error_of(response, *statuses):
    assert response.status_code in statuses, (response.status_code, response.text)
    return response.json()["error"]


def scores_of(response):
    return [[row["probabilities"][name] for name in ("no", "yes")] for row in response.json()["predictions"]]


def test_an_answer_has_a_row_for_each_row_and_says_whose_it_is(house):
    found = answered(house.arrow(stream(table_of([ROW, {**ROW, "must": 2.5}])), X_Request_Id="mine"))
    assert found.column_names == ["prediction", "score_no", "score_yes"]
    assert [str(kind) for kind in found.schema.types] == ["string", "double", "double"]
    assert found.schema.metadata == {
        b"homeostat.request_id": b"mine",
        b"homeostat.model": b"mixed",
        b"homeostat.version": b"3",
    }
    record = house.recorded()
    assert record["request_id"].to_list() == ["mine", "mine"]
    assert record["prediction"].to_list() == found["prediction"].to_pylist()
    assert [list(row) for row in record["scores"]] == [
        list(row) for row in zip(found["score_no"].to_pylist(), found["score_yes"].to_pylist(), strict=True)
    ]


def test_a_version_is_asked_by_its_number_and_a_regression_has_no_scores(house):
    rows = pa.table({"x": [1.0, 2.0], "city": ["Ulm", None]})
    found = answered(house.arrow(stream(rows), "/models/price/versions/3/predict"))
    assert found.to_pydict() == {"prediction": [1.5, 2.5]}
    assert house.arrow(stream(rows), "/models/price/versions/9/predict").status_code == 404


VALUES = {
    "f": st.none() | st.floats(-1e6, 1e6) | st.integers(-1000, 1000).map(float),
    "i": st.none() | st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9),
    "b": st.none() | st.booleans(),
    "c": st.none() | st.sampled_from(["Ulm", "", "Bonn", "é\U0001f600"]),
    "t": st.none() | st.text(st.characters(codec="utf-8"), max_size=12),
    "d": st.none() | st.datetimes(datetime(1700, 1, 1), datetime(2200, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),  # noqa: DTZ001
    "must": st.floats(-1e6, 1e6),
    "customer": st.none() | st.sampled_from(["k1", "k2"]),
    "at": st.none() | st.just(DAY),
}


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=12),
    st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]),
    st.sampled_from([None, "zstd", "lz4"]),
    st.integers(1, 12),
)
def test_what_arrow_is_answered_is_what_json_is_answered(one, rows, text, compression, batch):
    said = one.json(rows)
    before = one.recorded()
    body = stream(table_of(rows, c=text, t=text), compression=compression, rows=batch)
    found = answered(one.arrow(body))
    assert found["prediction"].to_pylist() == [row["prediction"] for row in said.json()["predictions"]]
    both = zip(found["score_no"].to_pylist(), found["score_yes"].to_pylist(), strict=True)
    assert [list(row) for row in both] == scores_of(said)
    record, n = one.recorded(), len(rows)
    assert record.height == before.height + n
    by_id = record.filter(pl.col("request_id") == said.json()["request_id"]).sort("row")
    mine = record.filter(pl.col("request_id") == found.schema.metadata[b"homeostat.request_id"].decode()).sort("row")
    for column in ("row", "key", "event_time", "features", "prediction", "scores", "version", "route"):
        assert mine[column].to_list() == by_id[column].to_list()


def cast(name, kind, **other):
    """Return the row as a table in which one column has another type."""
    row = {**ROW, **other}
    values = {k: pa.array([v], type=TYPES.get(k)) for k, v in row.items() if k != name}
    return pa.table({**values, name: pa.array([row[name]], type=kind)}).select(list(row))


SAME = [
    *(cast("i", kind) for kind in (pa.int8(), pa.uint8(), pa.int32(), pa.uint64(), pa.float32(), pa.float64())),
    *(cast("f", kind) for kind in (pa.float16(), pa.float32())),
    cast("f", pa.int16(), f=2),
    cast("c", pa.int32(), c=5),
    cast("c", pa.bool_(), c=True),
    cast("c", pa.dictionary(pa.uint32(), pa.large_string())),
    cast("c", pa.dictionary(pa.int8(), pa.int64()), c=5),
    *(cast("d", pa.timestamp(unit, zone)) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC", "Asia/Tokyo")),
    cast("d", pa.string(), d="2024-03-01T12:00:00"),
    *(cast(name, pa.null(), **{name: None}) for name in ("f", "i", "b", "c", "t", "d")),
    cast("note", pa.list_(pa.int8()), note=[1, 2]),
]


@pytest.mark.parametrize("at", range(len(SAME)), ids=lambda at: f"{at}")
def test_every_type_that_says_the_same_is_taken(one, at):
    table = SAME[at]
    (row,) = table.to_pylist()
    if row["d"] is not None and not isinstance(row["d"], str):
        row["d"] = DAY
    found = answered(one.arrow(stream(table)))
    said = one.json([row])
    assert [[found["score_no"][0].as_py(), found["score_yes"][0].as_py()]] == scores_of(said)


def test_dates_are_midnight_and_nan_is_null(one):
    for kind in (pa.date32(), pa.date64()):
        found = answered(one.arrow(stream(cast("d", kind, d=date(2024, 3, 1)))))
        said = one.json([{**ROW, "d": "2024-03-01"}])
        assert found["score_yes"][0].as_py() == scores_of(said)[0][1]
    found = answered(one.arrow(stream(cast("f", pa.float64(), f=float("nan")))))
    assert found["score_yes"][0].as_py() == scores_of(one.json([{**ROW, "f": None}]))[0][1]


def test_what_polars_and_pandas_write_is_taken(one):
    frame = pl.DataFrame([ROW] * 3, infer_schema_length=None).with_columns(pl.col("c").cast(pl.Categorical))
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compression="zstd")
    assert answered(one.arrow(sink.getvalue())).num_rows == 3
    table = pa.Table.from_pandas(pd.DataFrame([{**ROW, "d": DAY.replace(tzinfo=None)}] * 3), preserve_index=False)
    assert answered(one.arrow(stream(table))).num_rows == 3


def test_dictionaries_that_are_replaced_and_that_grow_are_read(one):
    parts = [["Ulm", "Bonn"], ["Bonn", "Köln"], ["Ulm", None]]
    kind = pa.dictionary(pa.int8(), pa.string())
    fields = [{**ROW, "c": None}] * 2
    batches = []
    for part in parts:
        base = table_of(fields).set_column(3, "c", pa.array(part, type=pa.string()).dictionary_encode().cast(kind))
        batches += base.to_batches()
    growing = [pa.array(["Ulm", "Bonn", "Köln"][:n]) for n in (2, 3, 3)]
    grown = []
    for words, at in zip(growing, ([0, 1], [1, 2], [0, None]), strict=True):
        column = pa.DictionaryArray.from_arrays(pa.array(at, type=pa.int8()), words)
        grown += table_of(fields).set_column(3, "c", column).to_batches()
    said = one.json([{**ROW, "c": c} for part in parts for c in part])
    for each, deltas in ((batches, False), (grown, True)):
        sink = pa.BufferOutputStream()
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(sink, each[0].schema, options=options) as writer:
            for batch in each:
                writer.write_batch(batch)
        found = answered(one.arrow(sink.getvalue().to_pybytes()))
        assert found["score_yes"].to_pylist() == [row[1] for row in scores_of(said)]


BAD = [
    ({"f": "x"}, {"f": pa.string()}),
    ({"f": True}, {"f": pa.bool_()}),
    ({"i": 1.5}, {"i": pa.float64()}),
    ({"i": 2**63}, {"i": pa.uint64()}),
    ({"b": 1}, {"b": pa.int64()}),
    ({"c": 1.5}, {"c": pa.float64()}),
    ({"t": 5}, {"t": pa.int64()}),
    ({"d": "yesterday"}, {"d": pa.string()}),
    ({"must": None}, {}),
    ({"other": 5, "mus": 1.0}, {}),
    ({"at": "soon"}, {}),
]


@pytest.mark.parametrize(("wrong", "types"), BAD, ids=[",".join(wrong) + str(at) for at, (wrong, _) in enumerate(BAD)])
def test_what_does_not_fit_is_told_as_to_json(one, wrong, types):
    rows = [{**ROW, **dict.fromkeys(wrong), **other} for other in ({"must": 1.0}, wrong)]
    rows[0] = {**rows[0], **{name: ROW[name] for name in wrong if name in ROW and name not in types}}
    before = one.recorded().height
    mine, said = one.arrow(stream(table_of(rows, **types))), one.json(rows)
    assert error_of(mine, 422) == error_of(said, 422)
    assert {each["field"] for each in error_of(mine, 422)["fields"]} == set(wrong)
    assert one.recorded().height == before


def test_columns_that_are_missing_are_told_as_to_json(one):
    rows = [{"f": 1.0, "c": "Ulm"}] * 2
    assert error_of(one.arrow(stream(table_of(rows))), 422) == error_of(one.json(rows), 422)
    assert error_of(one.arrow(stream(pa.table({"note": ["a"]}))), 422) == error_of(one.json([{"note": "a"}]), 422)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (cast("f", pa.list_(pa.float64()), f=[1.0]), "found a value of Arrow's type list"),
        (cast("t", pa.binary(), t=b"\xff"), "found a value of Arrow's type binary"),
        (cast("f", pa.decimal128(5, 2), f=1), "found a value of Arrow's type decimal128(5, 2)"),
        (cast("f", pa.float64(), f=float("inf")), "found the number inf"),
        (cast("must", pa.float64(), must=float("nan")), "found null"),
        (cast("f", pa.timestamp("us"), f=DAY), "found the time 2024-03-01T12:00:00+00:00"),
        (cast("d", pa.timestamp("s"), d=2**62), "found a time beyond the years 1 to 9999"),
        (cast("customer", pa.list_(pa.int8()), customer=[1]), "expected a string or a number"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_what_json_has_no_word_for_is_told_in_the_same_form(one, table, words):
    error = error_of(one.arrow(stream(table)), 422)
    assert words in error["message"]
    assert error["fields"][0]["row"] == 0


def test_which_language_is_answered(one):
    table = stream(table_of([ROW]))
    assert one.arrow(table, Accept="*/*").headers["content-type"] == STREAM
    assert one.arrow(table, Accept="application/json").json()["version"] == 3
    row = {"rows": [fakes.ROW]}
    path = "/models/late/predict"
    assert answered(one.client.post(path, json=row, headers={"accept": STREAM})).num_rows == 1
    assert one.client.post(path, json=row).json()["version"] == 3
    assert one.client.post(path, json=row, headers={"content-type": STREAM}).status_code == 400
    filed = one.client.post(path, content=table, headers={"content-type": "application/vnd.apache.arrow.file"})
    assert STREAM in error_of(filed, 415)["hint"]


def test_ids_headers_and_compressed_bodies_are_those_of_json(house):
    import gzip

    table = stream(table_of([ROW]))
    assert answered(house.arrow(gzip.compress(table, mtime=0), Content_Encoding="gzip", X_Request_Id="a")).num_rows == 1
    assert house.arrow(table, X_Request_Id="a").status_code == 200
    assert error_of(house.arrow(stream(table_of([ROW] * 2)), X_Request_Id="a"), 409)["code"] == "conflict"
    assert error_of(house.arrow(table, X_Request_Id="no id"), 400)
    assert error_of(house.arrow(table, X_Request_Timeout_Ms="-1"), 400)
    house.arrow(table, X_Request_Id="b", X_Caller="ann")
    assert house.recorded().filter(pl.col("request_id") == "b")["caller"].to_list() == ["ann"]


def test_more_rows_than_may_be_are_refused_before_they_are_looked_at(one):
    assert error_of(one.arrow(stream(table_of([ROW] * 501), rows=100)), 422)["code"] == "invalid_rows"
    assert "at most 500" in error_of(one.arrow(stream(table_of([ROW] * 501))), 422)["message"]
    endless = stream(pa.table({"note": pa.nulls(10**9)}))
    assert len(endless) < 1000
    assert "1000000000 rows" in error_of(one.arrow(endless), 422)["message"]
    assert "no rows" in error_of(one.arrow(stream(table_of([ROW]).slice(0, 0))), 422)["message"]


@pytest.mark.parametrize("codec", ["zstd", "lz4"])
def test_buffers_that_would_inflate_beyond_the_limit_are_refused(one, codec):
    bomb = stream(pa.table({"note": ["a" * 5 * MOST_BYTES], **{k: [v] for k, v in ROW.items()}}), compression=codec)
    assert len(bomb) < MOST_BYTES / 5
    assert error_of(one.arrow(bomb), 413)["code"] == "too_large"
    words = pa.array(["a" * 5 * MOST_BYTES]).dictionary_encode()
    bomb = stream(table_of([ROW]).set_column(3, "c", words), compression=codec)
    assert error_of(one.arrow(bomb), 413)["code"] == "too_large"


def test_a_word_that_every_row_names_counts_for_every_row(one):
    def named(length, kind):
        words = pa.array(["a" * length], type=kind)
        return pa.DictionaryArray.from_arrays(pa.array([0] * 400, type=pa.int16()), words)

    base = table_of([{**ROW, "t": ""}] * 400)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        body = stream(base.set_column(3, "c", named(1000, kind)))
        assert len(body) < MOST_BYTES / 2
        assert error_of(one.arrow(body), 413)["code"] == "too_large"
        assert answered(one.arrow(stream(base.set_column(3, "c", named(100, kind))))).num_rows == 400


def test_views_of_the_same_text_count_each(one):
    base = table_of([ROW] * 300)
    (text,) = [pa.array(["a" * 1000]).cast(pa.string_view())]
    many = pa.concat_arrays([text] * 300)
    _, views, *texts = many.buffers()
    one_text = np.frombuffer(views, dtype=np.int32).reshape(-1, 4).copy()
    one_text[:, 2:] = one_text[0, 2:]
    shared = pa.Array.from_buffers(pa.string_view(), 300, [None, pa.py_buffer(one_text.tobytes()), texts[0]])
    shared.validate(full=True)
    body = stream(base.set_column(3, "c", shared))
    assert len(body) < MOST_BYTES / 2
    assert error_of(one.arrow(body), 413)["code"] == "too_large"


def test_a_dictionary_that_many_batches_share_counts_once(one):
    words = pa.array([f"{at:0100d}" for at in range(500)])
    column = pa.DictionaryArray.from_arrays(pa.array(list(range(100)), type=pa.int16()), words)
    table = table_of([ROW] * 100).set_column(3, "c", column)
    assert answered(one.arrow(stream(table, rows=1))).num_rows == 100
