"""What the explain door answers and refuses; tests/serve/explain has the methods."""

import pyarrow as pa
import pytest
from tests.serve.protocols.serving_both import Both

from homeostat.serve.arrow import STREAM
from homeostat.serve.explain.explainers import NoExplainer

ROWS = {"rows": [{"x": 0.25, "city": "Ulm"}, {"x": 0.125, "city": None}]}


def test_each_column_has_its_part_of_the_answer_and_nothing_is_recorded(both):
    for path in ("/models/late/explain", "/models/late/versions/3/explain"):
        told = both.post(path, ROWS).json()
        assert (told["model"], told["version"], told["method"], told["unit"]) == (
            "late",
            3,
            "permutation",
            "probability",
        )
        assert [row["prediction"] for row in told["explanations"]] == ["yes", "no"]
        for row in told["explanations"]:
            assert row["class"] == "yes"
            assert set(row["contributions"]) == {"x", "city"}
            assert row["base"] + sum(row["contributions"].values()) == pytest.approx(row["output"], abs=1e-12)
    assert both.recorded() == 0
    (row,) = both.post("/models/sum/explain", {"a": 5.0, "b": 1.0, "c": None}).json()["explanations"]
    assert (row["output"], row["base"], row["contributions"]) == (6.0, 3.0, {"a": 3.0, "b": 1.0, "c": -1.0})


def test_rows_may_come_as_arrow(both):
    table = pa.table({"x": [0.25], "city": ["Ulm"]})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    told = both.post("/models/late/explain", sink.getvalue().to_pybytes(), content_type=STREAM)
    assert told.json()["explanations"][0]["prediction"] == "yes"


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/models/late/explain", {"rows": [{"x": 1.0, "city": "Ulm"}] * 101}, 422, "at most 100 are explained"),
        ("/models/late/explain", {"rows": [{"x": "a", "city": "Ulm"}]}, 422, "field 'x'"),
        ("/models/late/explain", {"rows": []}, 422, "no rows"),
        ("/models/lat/explain", ROWS, 404, "no model 'lat'"),
        ("/models/late/versions/9/explain", ROWS, 404, "version 9"),
    ],
)
def test_what_is_wrong_is_told(both, path, body, status, words):
    answer = both.post(path, body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]


class Without:
    async def explain(self, *_, **__):
        raise NoExplainer("explanations need shap, which is not installed here")


def test_without_the_extra_the_answer_names_it(tmp_path):
    server = Both(tmp_path, explainers=Without())
    answer = server.post("/models/late/explain", ROWS)
    assert answer.status_code == 501
    assert answer.json()["error"]["hint"] == "pip install 'homeostat[explain]'"
    server.close()
