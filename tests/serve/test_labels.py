"""Labels that bring columns which the model does not take."""

from datetime import UTC, datetime
from itertools import count

import pytest

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidRows
from homeostat.serve.labels import label_rows
from homeostat.serve.recording import Recording
from homeostat.testing import serving as fakes

NOW = datetime(2024, 1, 1, tzinfo=UTC)
DECLARED = Recording(groups={"sex": None, "age": Kind.INTEGER})


def rows(*labels, recording=DECLARED, idempotency_key=None):
    ids = count()
    return label_rows(
        labels,
        model="m",
        signature=fakes.BINARY,
        received=NOW,
        max_labels=10,
        idempotency_key=idempotency_key,
        new_id=lambda: str(next(ids)),
        recording=recording,
    )


def test_groups_come_beside_the_value_or_alone():
    found = rows(
        {"request_id": "a", "value": "yes", "groups": {"sex": "f", "age": 40.0}},
        {"key": 7, "groups": {"sex": None}},
        {"request_id": "b", "value": "no", "groups": {}},
    )
    assert [(row["value"], row["groups"]) for row in found] == [
        ("yes", '{"age":40,"sex":"f"}'),
        (None, '{"sex":null}'),
        ("no", None),
    ]


@pytest.mark.parametrize(
    ("groups", "field", "expected"),
    [
        ("f", "groups", "an object of columns"),
        ({"sexx": "f"}, "groups.sexx", "did you mean 'sex'"),
        ({"sex": ["f"]}, "groups.sex", "a string, a number"),
        ({"age": "old"}, "groups.age", "an integer of 64 bits or null"),
        ({"age": 1e300}, "groups.age", "an integer of 64 bits or null"),
    ],
)
def test_groups_that_were_not_declared_or_do_not_fit_are_named(groups, field, expected):
    with pytest.raises(InvalidRows) as caught:
        rows({"request_id": "a", "value": "yes", "groups": groups})
    (fault,) = caught.value.fields
    assert fault["field"] == field
    assert expected in fault["expected"]


def test_a_project_without_such_columns_takes_none():
    with pytest.raises(InvalidRows, match=r"watch\.groups"):
        rows({"request_id": "a", "value": "yes", "groups": {"sex": "f"}}, recording=Recording())
    with pytest.raises(InvalidRows, match="field 'value'"):
        rows({"request_id": "a", "groups": {}})


def test_the_same_label_with_other_groups_is_another_label():
    label = {"request_id": "a", "value": "yes"}
    ids = {rows({**label, "groups": {"sex": sex}}, idempotency_key="one")[0]["label_id"] for sex in ("f", "m", "f")}
    assert len(ids) == 2
