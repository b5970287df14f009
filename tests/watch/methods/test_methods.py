"""What holds for every method, whoever wrote it."""

from pathlib import Path

import pytest

from homeostat.core.columns import Kind
from homeostat.core.errors import NotFound
from homeostat.watch.methods import METHODS, chosen, method, sample_kind
from homeostat.watch.sample import Categories, numbers


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_test_file(name):
    assert (Path(__file__).parent / f"test_{name}.py").exists()


@pytest.mark.parametrize("name", METHODS)
def test_equal_samples_have_no_effect_and_are_not_significant(name):
    same = numbers(range(100)) if "number" in METHODS[name].kinds else Categories(counts={"a": 60, "b": 40})
    found = METHODS[name].measure(same, same)
    assert found.effect == pytest.approx(0.0, abs=1e-7)
    assert found.p_value == pytest.approx(1.0)


@pytest.mark.parametrize("name", METHODS)
def test_disjoint_samples_alarm(name):
    if "number" in METHODS[name].kinds:
        old = numbers(range(200))
        new = numbers(range(1_000, 1_200), like=old)
    else:
        old, new = Categories(counts={"a": 200}), Categories(counts={"b": 200})
    found = METHODS[name].measure(old, new)
    assert found.effect > METHODS[name].alarm
    assert found.p_value < 1e-6


def test_an_unknown_method_is_named_with_its_near_ones():
    with pytest.raises(NotFound) as failure:
        method("wasserstien")
    assert "wasserstein" in failure.value.hint


def test_only_methods_for_the_kind_are_chosen():
    assert [m.name for m in chosen("category", ["ks", "psi"])] == ["psi"]
    assert [m.name for m in chosen("number")] == ["wasserstein"]
    assert sample_kind(Kind.TEXT) is None
    assert sample_kind(Kind.DATETIME) is None
    assert sample_kind(Kind.BOOLEAN) == "category"
