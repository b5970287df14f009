import json

import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput
from homeostat.registry.adopting import adopted_signature
from homeostat.registry.declared import parse

DATA = Signature(
    task=Task.BINARY,
    columns=(
        Column(name="age", kind=Kind.INTEGER),
        Column(name="income", kind=Kind.FLOAT),
        Column(name="city", kind=Kind.CATEGORY),
        Column(name="note", kind=Kind.TEXT),
        Column(name="member", kind=Kind.BOOLEAN),
        Column(name="since", kind=Kind.DATETIME),
    ),
    target="y",
    classes=(0, 1),
)


def declared(*inputs):
    text = json.dumps([{"name": name, "type": kind} if name else {"type": kind} for name, kind in inputs])
    return parse(json.dumps({"flavors": {"sklearn": {}}, "signature": {"inputs": text}}).encode())


def test_whoever_asks_sends_the_features_of_the_data_whatever_the_model_picks():
    said = declared(("income", "float"), ("age", "double"), ("note", "string"), ("city", "string"), ("member", "long"))
    assert adopted_signature(said, DATA) == DATA
    assert adopted_signature(parse(b"flavors: {sklearn: {}}"), DATA) == DATA


@pytest.mark.parametrize(
    ("name", "kind", "match"),
    [
        ("incom", "double", "wants a column 'incom'"),
        ("y", "long", "wants a column 'y'"),
        ("city", "double", "wants 'city' as double, in the data it is category"),
        ("income", "long", "wants 'income' as long, in the data it is float"),
        ("age", "string", "wants 'age' as string"),
        ("age", "datetime", "wants 'age' as datetime"),
        ("since", "double", "wants 'since' as double"),
        ("income", "binary", "an input of type 'binary'"),
        ("", "tensor", "of type 'tensor' without a name"),
        ("", "double", "without a name"),
    ],
)
def test_a_model_that_does_not_fit_the_data_is_told_where(name, kind, match):
    with pytest.raises(InvalidInput, match=match) as caught:
        adopted_signature(declared((name, kind)), DATA)
    assert caught.value.hint


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"flavors: 3",
        b"a: [",
        b"\xff\xfe",
        b"flavors: {a: {}}\nsignature: {inputs: '{'}",
        b"flavors: {a: {}}\nsignature: {inputs: '[3]'}",
    ],
)
def test_an_mlmodel_file_that_is_none_is_refused(content):
    with pytest.raises(InvalidInput, match="MLmodel file cannot be read"):
        parse(content)


def test_no_code_of_a_package_is_run_to_read_what_it_declares():
    with pytest.raises(InvalidInput):
        parse(b"flavors: {a: !!python/object/apply:os.system ['touch /tmp/never']}")
