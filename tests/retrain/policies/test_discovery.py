from pathlib import Path

import pytest
from tests.retrain.policies.looks import NO_VERSION, look
from tests.retrain.worlds import project

from homeostat.core.errors import InvalidInput
from homeostat.retrain.policies import POLICIES, chosen, named


def test_every_policy_has_its_test_file():
    missing = [name for name in POLICIES if not (Path(__file__).parent / f"test_{name}.py").exists()]
    assert missing == []
    assert list(POLICIES) == sorted(POLICIES)


@pytest.mark.parametrize("name", [f"{name}_3" if one.takes_number else name for name, one in POLICIES.items()])
def test_every_policy_trains_a_first_model_and_says_what_it_is(name):
    ready = chosen(name, project())
    decision = ready.rule.decide(look(step=None, versions=NO_VERSION, champion=None))
    assert (decision.kind, decision.firing.trigger) == ("retrain", "first")
    assert ready.rule.serving(look(versions=NO_VERSION)) is None
    assert ready.description


def test_names_as_people_write_them():
    assert [named(name) for name in (" static", "every_05", "policy", "triggers")] == [
        "never",
        "every_5",
        "policy",
        "triggers",
    ]


@pytest.mark.parametrize("name", ["sometimes", "every", "every_0", "every_-1", "never_5", "", "every_x"])
def test_other_names_are_refused_with_a_hint(name):
    with pytest.raises(InvalidInput, match="no policy") as error:
        named(name)
    assert error.value.hint
