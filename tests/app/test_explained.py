from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.app.explained import WHY, builtins, explained
from homeostat.app.project import parse
from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.data.settings import DataSettings
from homeostat.gate.settings import Bound, GateSettings
from homeostat.retrain.project import Project
from homeostat.retrain.settings import CanaryStep, RetrainSettings, Rollout
from homeostat.train.settings import TrainSettings

PLAIN = Project(model="shop", task=Task.BINARY, data=DataSettings(source="shop.csv", target="bought"))


def keys(struct: msgspec.Struct, path: tuple[str, ...] = ()) -> Iterator[str]:
    for name in struct.__struct_fields__:
        value = struct.training if path == () and name == "train" else getattr(struct, name)
        yield ".".join((*path, name))
        if isinstance(value, msgspec.Struct):
            yield from keys(value, (*path, name))


def test_every_setting_is_explained_and_nothing_else():
    assert set(WHY) == set(keys(PLAIN))


def test_every_setting_stands_in_the_file_once_with_its_reason():
    lines = explained(PLAIN).splitlines()
    for words in WHY.values():
        assert sum(line.endswith(f"  # {words}") for line in lines) >= 1
    assert len([line for line in lines if "  # " in line]) == len(WHY)


def test_taking_every_mark_away_says_the_same():
    lines = explained(PLAIN).splitlines()
    assert parse("\n".join(line.removeprefix("# ") for line in lines[2:])) == PLAIN


def test_what_is_not_a_default_is_set():
    project = msgspec.structs.replace(
        PLAIN,
        data=msgspec.structs.replace(PLAIN.data, time="at"),
        train=TrainSettings(window=Duration(days=90), params={"max_iter": 20, "names": ["a: b", "# c"]}),
        gate=GateSettings(metrics={"roc_auc": Bound(min=0.7)}),
        retrain=RetrainSettings(rollout=Rollout(canary=[CanaryStep(percent=5.0, time=Duration(hours=1))])),
    )
    assert parse(explained(project)) == project


def test_a_function_alone_is_kept():
    project = msgspec.structs.replace(PLAIN, train="model:train")
    assert parse(explained(project)).training == project.training
    assert builtins(project)["train"]["function"] == "model:train"


NASTY = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=30)


@settings(max_examples=50)
@given(NASTY, st.lists(NASTY, max_size=3, unique=True))
def test_any_column_name_survives(target, names):
    data = DataSettings(source="a.csv", target=target, exclude=[name for name in names if name != target])
    project = msgspec.structs.replace(PLAIN, data=data)
    assert parse(explained(project)) == project


@pytest.mark.parametrize("word", ["yes", "null", "1", "1.5", "2024-01-01", "a: b", "- x", "#", "'", "{a}", "*x", "é"])
def test_words_that_yaml_reads_otherwise_are_quoted(word):
    project = msgspec.structs.replace(PLAIN, data=DataSettings(source=word, target=word + "t"))
    assert parse(explained(project)) == project
