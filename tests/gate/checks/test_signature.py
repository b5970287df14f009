from dataclasses import replace

import polars as pl

from homeostat.core.columns import Column, Kind, Task
from homeostat.gate.checks.signature import CHECK
from homeostat.gate.settings import GateSettings


def failed(evidence) -> dict[str, str]:
    return {r.subject: r.reason for r in CHECK.run(evidence, GateSettings()) if r.passed is False}


def against(world, **changes):
    """The world's evidence, with a champion whose signature differs by `changes`."""
    evidence = world().binary()
    return replace(evidence, champion_signature=replace(evidence.signature, **changes))


def test_same_signature_and_fewer_columns_pass(world):
    assert failed(against(world)) == {}
    more = (*world().binary().signature.columns, Column(name="colour", kind=Kind.CATEGORY))
    assert failed(against(world, columns=more)) == {}


def test_column_that_the_champion_does_not_take_fails_with_near_names(world):
    columns = world().binary().signature.columns
    renamed = (replace(columns[0], name="amounts"), *columns[1:])
    reason = failed(against(world, columns=renamed))["inputs"]
    assert "wants 'amount'" in reason
    assert "did you mean 'amounts'" in reason


def test_kind_may_widen_but_not_narrow(world):
    columns = world().binary().signature.columns
    integer = (replace(columns[0], kind=Kind.INTEGER), *columns[1:])
    assert failed(against(world, columns=integer)) == {}
    text = (replace(columns[0], kind=Kind.CATEGORY), *columns[1:])
    assert "is float, the champion's is category" in failed(against(world, columns=text))["inputs"]
    narrower = (*columns[:2], replace(columns[2], kind=Kind.FLOAT))
    assert "is integer, the champion's is float" in failed(against(world, columns=narrower))["inputs"]


def test_other_classes_task_or_target_fail(world):
    assert "new classes 'yes'" in failed(against(world, classes=("no", "maybe")))["answers"]
    assert "no longer answers 'maybe'" in failed(against(world, classes=("no", "yes", "maybe")))["answers"]
    assert "the task is binary" in failed(against(world, task=Task.MULTICLASS))["answers"]
    assert "the champion 'sold'" in failed(against(world, target="sold"))["answers"]


def test_missing_column_of_the_test_rows_fails_without_a_champion_too(world):
    evidence = world().binary()
    found = failed(replace(evidence, test=evidence.test.drop("age")))
    assert found == {"test rows": "no column 'age'"}


def test_nulls_where_the_model_takes_none_fail_only_when_rows_have_them(world):
    evidence = world().binary()
    strict = replace(evidence.signature, columns=tuple(replace(c, nullable=False) for c in evidence.signature.columns))
    assert failed(replace(evidence, signature=strict)) == {}
    gaps = evidence.test.with_columns(age=pl.when(pl.col("age") > 70).then(None).otherwise(pl.col("age")))
    assert "takes no nulls" in failed(replace(evidence, signature=strict, test=gaps))["test rows"]
