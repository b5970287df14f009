from datetime import UTC, datetime

import polars as pl

from homeostat.core.columns import Column, Kind, Roles, Signature, Task
from homeostat.retrain.capture import captured
from homeostat.storage.record_rows import schema_of

NOW = datetime(2024, 1, 1, tzinfo=UTC)
SIGNATURE = Signature(task=Task.REGRESSION, columns=(Column(name="x", kind=Kind.FLOAT),), target="y")


def test_excluded_columns_are_those_that_labels_brought():
    answer = {"row": 0, "received": NOW, "version": 1, "route": "champion", "status": "ok", "features": '{"x":1.5}'}
    label = {"row": 0, "received": NOW, "value": "2.0"}
    told = ['{"sex":"f","age":40,"ill":true}', '{"sex":1,"age":"old"}', None]
    predictions = [answer | {"request_id": str(n), "prediction": "2.0"} for n in range(3)]
    labels = [label | {"request_id": str(n), "label_id": str(n), "groups": text} for n, text in enumerate(told)]
    found = captured(
        pl.DataFrame(predictions, schema=schema_of("predictions")),
        pl.DataFrame(labels, schema=schema_of("labels")),
        signature=SIGNATURE,
        roles=Roles(target="y", exclude=("sex", "age", "ill", "note")),
        schema={
            "x": pl.Float64(),
            "y": pl.Float64(),
            "sex": pl.String(),
            "age": pl.Int64(),
            "ill": pl.Boolean(),
            "note": pl.String(),
        },
    )
    assert found.drop("_homeostat_request").rows() == [
        (1.5, 2.0, "f", 40, True, None),
        (1.5, 2.0, "1", None, None, None),
        (1.5, 2.0, None, None, None, None),
    ]
