import polars as pl
import pytest

from homeostat.core.columns import Kind, Roles, Task
from homeostat.core.errors import InvalidInput, NotFound
from homeostat.train.signature import classes_of, from_json, signature_of, to_json


def test_features_keep_their_order_and_time_key_and_target_are_none(rows, kinds, roles):
    found = signature_of(rows(50), roles=roles, kinds=kinds, task=Task.BINARY)
    assert found.names == ("amount", "count", "vip", "city", "signed", "note")
    assert {column.name: column.nullable for column in found.columns} == {
        "amount": True, "count": False, "vip": True, "city": True, "signed": True, "note": False,
    }  # fmt: skip
    assert found.classes == ("no", "yes")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([True, False], (False, True)),
        ([1, 0], (0, 1)),
        ([2, 1], (1, 2)),
        ([1.0, 0.0, None], (0, 1)),
        (["Y", "N"], ("N", "Y")),
        (["churn", "no"], ("no", "churn")),
        (["ok", "defect"], ("ok", "defect")),
        (["a", "yes"], ("a", "yes")),
        (["yes", "zero"], ("zero", "yes")),
        (["UP", "DOWN"], ("DOWN", "UP")),
    ],
)
def test_the_last_of_two_classes_is_the_positive_one(values, classes):
    found = classes_of(pl.Series("t", values), Task.BINARY)
    assert found == classes
    assert [type(a) for a in found] == [type(b) for b in classes]


@pytest.mark.parametrize(
    ("values", "task", "says"),
    [
        (["a", "a"], Task.BINARY, "constant"),
        ([None, None], Task.MULTICLASS, "constant"),
        (["a", "b", "c"], Task.BINARY, "has 3 classes"),
        ([str(i) for i in range(1001)], Task.MULTICLASS, "1001 classes"),
        (["a", "b"], Task.REGRESSION, "not numbers"),
    ],
)
def test_a_target_that_does_not_fit_its_task_is_refused(values, task, says):
    with pytest.raises(InvalidInput, match=says):
        classes_of(pl.Series("t", values), task)


def test_an_absent_target_and_absent_features_are_refused(rows, kinds):
    with pytest.raises(NotFound, match="no target column 'latte'"):
        signature_of(rows(5), roles=Roles(target="latte"), kinds=kinds, task=Task.BINARY)
    with pytest.raises(InvalidInput, match="no feature"):
        signature_of(pl.DataFrame({"y": [0, 1]}), roles=Roles(target="y"), kinds={"y": Kind.INTEGER}, task=Task.BINARY)


@pytest.mark.parametrize("task", list(Task))
def test_json_gives_the_same_signature_back(signature, task):
    assert from_json(to_json(signature(task))) == signature(task)


def test_json_that_is_no_signature_is_refused():
    with pytest.raises(InvalidInput, match="not a signature"):
        from_json({"task": "guess"})
