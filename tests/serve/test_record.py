from datetime import UTC, datetime

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.serve.answer import Question
from homeostat.serve.record import PredictionRow, answered, failed, features_frame, lines
from homeostat.serve.table import Table, schema_of
from homeostat.storage.record_rows import SCHEMAS
from homeostat.storage.records import FileRecords
from homeostat.track.predictions import Predictions

NOW = datetime(2024, 1, 1, 12, tzinfo=UTC)
SIGNATURE = Signature(
    task=Task.BINARY,
    columns=tuple(Column(name=kind.value, kind=kind) for kind in Kind),
    target="y",
    classes=("no", "yes"),
)
FEATURES = pl.DataFrame(
    {
        "integer": [2**62 + 1, None],
        "float": [0.1 + 0.2, None],
        "boolean": [True, None],
        "category": ['a "quoted"\nline', None],
        "datetime": [datetime(2024, 2, 29, 23, 59, 59, 123456, tzinfo=UTC), None],
        "text": ["Ünïcode \u2028", ""],
    },
    schema=schema_of(SIGNATURE.columns),
)
TABLE = Table.of_rows(SIGNATURE.columns, FEATURES.rows())
ASKED = Question(model="m", request_id="r1", table=TABLE, keys=["k", None], times=[NOW, None])
PREDICTIONS = Predictions(
    labels=np.array(["no", "yes"]), scores=np.array([[0.75, 0.25], [0.1, 0.9]]), classes=("no", "yes")
)


def test_features_come_back_from_the_record_as_the_model_saw_them(tmp_path):
    records = FileRecords(tmp_path, writer_id="w")
    rows = answered(ASKED, PREDICTIONS, received=NOW, version=3, route="champion", latency_ms=1.5)
    records.submit("m", lines(rows), lambda error: None)
    read = records.read("predictions", "m")
    assert_frame_equal(features_frame(read, SIGNATURE), FEATURES)
    assert read["prediction"].to_list() == ["no", "yes"]
    assert read["scores"].to_list() == [[0.75, 0.25], [0.1, 0.9]]
    assert read["key"].to_list() == ["k", None]
    assert read["event_time"].to_list() == [NOW, None]
    assert read["version"].to_list() == [3, 3]


def test_a_row_that_lacks_a_feature_of_the_signature_has_null_there():
    frame = pl.DataFrame({"features": ['{"integer": 1}', None]})
    assert features_frame(frame, SIGNATURE)["integer"].to_list() == [1, None]
    assert features_frame(frame, SIGNATURE)["text"].to_list() == [None, None]


def test_features_of_no_rows_have_the_types_of_the_signature(tmp_path):
    empty = FileRecords(tmp_path, writer_id="w").read("predictions", "m")
    assert features_frame(empty, SIGNATURE).schema == pl.Schema(schema_of(SIGNATURE.columns))


def test_shadow_rows_do_not_repeat_the_features():
    rows = answered(ASKED, PREDICTIONS, received=NOW, version=4, route="shadow", latency_ms=1.0)
    assert [row.features for row in rows] == [None, None]


def test_a_failure_is_recorded_for_every_row_and_cut_to_a_length():
    rows = failed(ASKED, "x" * 10_000, received=NOW, version=4, route="canary", latency_ms=1.0)
    assert [row.status for row in rows] == ["error", "error"]
    assert {len(row.error) for row in rows} == {500}
    assert all(row.prediction is None for row in rows)


def test_the_rows_have_the_columns_that_the_store_keeps():
    assert {*PredictionRow.__struct_fields__} == {*SCHEMAS["predictions"], "seq"}


def test_caller_and_trace_are_in_the_record_where_they_were_given(tmp_path):
    records = FileRecords(tmp_path, writer_id="w")
    known = Question(
        model="m", request_id="r2", table=TABLE, keys=[None, None], times=[None, None], caller="shop", trace="0af7"
    )
    for asked in (ASKED, known):
        rows = answered(asked, PREDICTIONS, received=NOW, version=3, route="champion", latency_ms=1.5)
        records.submit("m", lines(rows), lambda error: None)
    read = records.read("predictions", "m")
    assert read["caller"].to_list() == [None, None, "shop", "shop"]
    assert read["trace"].to_list() == [None, None, "0af7", "0af7"]
