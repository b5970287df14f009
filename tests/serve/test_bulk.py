"""Many rows of a request are one line of the record, and are read as if each had been a line."""

import json
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from homeostat.core.bulk import Bulk
from homeostat.core.columns import Column, Kind
from homeostat.serve import record
from homeostat.serve.answer import Question
from homeostat.serve.record import answered, count, lines, number
from homeostat.serve.recording import Recording
from homeostat.serve.table import TALL, Table
from homeostat.storage.records import FileRecords
from homeostat.track.predictions import Predictions

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = {
    Kind.FLOAT: NUMBERS,
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.BOOLEAN: st.booleans(),
    Kind.CATEGORY: st.text(max_size=5),
    Kind.TEXT: st.text(max_size=5),
    Kind.DATETIME: st.datetimes(datetime(1990, 1, 1), datetime(2030, 1, 1)).map(lambda each: each.replace(tzinfo=UTC)),  # noqa: DTZ001
}
NAMES = ["x", 'a "quoted" name', "back\\slash", "ü", "y"]


@st.composite
def _requests(draw):
    kinds = draw(
        st.one_of(
            st.lists(st.just(Kind.FLOAT), min_size=1, max_size=5),
            st.lists(st.sampled_from(Kind), min_size=1, max_size=5),
        )
    )
    columns = tuple(Column(name=name, kind=kind) for name, kind in zip(NAMES, kinds, strict=False))
    height = draw(st.integers(TALL, TALL + 8))
    rows = [tuple(draw(st.none() | VALUES[kind]) for kind in kinds) for _ in range(height)]
    keys = draw(
        st.one_of(st.just([None] * height), st.lists(st.none() | st.text(max_size=3), min_size=height, max_size=height))
    )
    times = draw(
        st.sampled_from([[None] * height, [NOW - timedelta(seconds=i) if i % 2 else None for i in range(height)]])
    )
    asked = Question(
        model="m",
        request_id="r",
        table=Table.of_rows(columns, rows),
        keys=keys,
        times=times,
        key=draw(st.none() | st.just("k")),
        caller="c",
    )
    if draw(st.booleans()):
        labels = np.array(draw(st.lists(NUMBERS, min_size=height, max_size=height)))
        return asked, Predictions(labels=labels)
    labels = np.array(draw(st.lists(st.sampled_from(["no", "yes"]), min_size=height, max_size=height)))
    return asked, Predictions(
        labels=labels, scores=np.linspace(0, 1, 2 * height).reshape(height, 2), classes=("no", "yes")
    )


def _read(asked, predictions, recording, route):
    with tempfile.TemporaryDirectory() as folder:
        records = FileRecords(Path(folder), writer_id="w")
        rows = answered(asked, predictions, received=NOW, version=3, route=route, latency_ms=1.5, recording=recording)
        number(rows, 1_000)
        records.submit("m", lines(rows), lambda error: None)
        fresh = records.read("predictions", "m")
        records.close()
        records.compact()
        assert_frame_equal(records.read("predictions", "m"), fresh)
        return rows, fresh


@settings(max_examples=40, deadline=None)
@given(
    _requests(),
    st.sampled_from([Recording(), Recording(drop=["x"], hashes=["ü", "key"], secret=b"s")]),
    st.sampled_from(["champion", "shadow"]),
)
def test_a_line_of_many_rows_reads_as_a_line_each(asked_and_told, recording, route):
    asked, predictions = asked_and_told
    bulk, one = _read(asked, predictions, recording, route)
    assert all(isinstance(row, Bulk) for row in bulk)
    assert count(bulk) == asked.table.height
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record, "TALL", 1_000)
        rows, each = _read(asked, predictions, recording, route)
    assert len(rows) == asked.table.height
    assert_frame_equal(one.drop("features"), each.drop("features"))
    texts = [[text and json.loads(text) for text in frame["features"]] for frame in (one, each)]
    assert texts[0] == texts[1]  # 1e16 is 1e+16 too


def test_a_table_of_very_many_rows_becomes_several_lines_and_counts_on(monkeypatch, tmp_path):
    monkeypatch.setattr(record, "_AT_ONCE", 10)
    height = 34
    table = Table.of_matrix((Column(name="x", kind=Kind.FLOAT),), np.arange(float(height)).reshape(-1, 1))
    asked = Question(model="m", request_id="r", table=table, keys=[None] * height, times=[None] * height)
    rows = answered(
        asked, Predictions(labels=np.arange(float(height))), received=NOW, version=1, route="champion", latency_ms=1
    )
    number(rows, 7)
    assert [(row.bulk, row.common.row, row.common.seq) for row in rows] == [
        (10, 0, 7),
        (10, 10, 17),
        (10, 20, 27),
        (4, 30, 37),
    ]
    records = FileRecords(tmp_path, writer_id="w")
    records.submit("m", lines(rows), lambda error: None)
    read = records.read("predictions", "m")
    assert read["row"].to_list() == list(range(height))
    assert read["features"].to_list() == [f'{{"x":{i}.0}}' for i in range(height)]
    assert read["prediction"].to_list() == list(range(height))


def test_lines_of_one_row_and_of_many_stand_side_by_side(tmp_path):
    columns = (Column(name="x", kind=Kind.FLOAT),)
    records = FileRecords(tmp_path, writer_id="w")
    for turn, height in enumerate([1, TALL, 2, TALL + 1]):
        table = Table.of_matrix(columns, np.full((height, 1), float(turn)))
        asked = Question(model="m", request_id=f"r{turn}", table=table, keys=[None] * height, times=[None] * height)
        rows = answered(
            asked, Predictions(labels=np.zeros(height)), received=NOW, version=1, route="champion", latency_ms=1
        )
        number(rows, records.stamps(height))
        records.submit("m", lines(rows), lambda error: None)
    read = records.read("predictions", "m")
    assert read["request_id"].to_list() == ["r0"] + ["r1"] * TALL + ["r2"] * 2 + ["r3"] * (TALL + 1)
    assert read["features"].unique(maintain_order=True).to_list() == [f'{{"x":{turn}.0}}' for turn in range(4)]
