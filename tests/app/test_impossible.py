import msgspec
import pytest

from homeostat.app.impossible import impossible
from homeostat.core.duration import Duration
from homeostat.retrain.project import Project

STACK = {"policy": "stack", "triggers": {"new_rows": 9}}


def project(**parts) -> Project:
    """Return a project with a time column; `data` is added to what its data are."""
    data = {"source": "sales.csv", "target": "sold", "time": "day"} | parts.pop("data", {})
    given = {"model": "sales", "task": "regression", "data": data, **parts}
    return msgspec.convert(given, Project, dec_hook=lambda _, text: Duration.parse(text))


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({}, id="the least"),
        pytest.param({"data": {"time": None}, "watch": {"window_rows": 50}}, id="windows of rows"),
        pytest.param({"retrain": STACK}, id="a stack"),
        pytest.param({"gate": {"metrics": {"r2": {"min": 0.5, "max": 0.5}}}}, id="a bound of one value"),
        pytest.param({"serve": {"port": 0, "control_port": 0}}, id="any two free ports"),
        pytest.param({"retrain": {"triggers": {"schedule": "0 3 * * 1"}}}, id="a schedule"),
        pytest.param(
            {
                "data": {"key": ["shop"], "exclude": ["email"]},
                "record": {"drop": ["email", "caller"], "hash": ["shop"]},
            },
            id="personal columns that nothing is learned from",
        ),
        pytest.param(
            {"data": {"exclude": ["sex"]}, "watch": {"groups": {"protected": ["sex"], "slices": ["city"]}}}, id="groups"
        ),
        pytest.param({"serve": {"memory": "2GB", "max_body": "1 MB"}}, id="sizes"),
    ],
)
def test_what_goes_together_is_possible(parts):
    assert list(impossible(project(**parts))) == []


@pytest.mark.parametrize(
    ("parts", "path", "says", "remedy"),
    [
        ({"watch": {"window": "0s"}}, "watch.window", "a window of no length", "1d"),
        ({"watch": {"window": "1w", "window_rows": 50}}, "watch.window_rows", "cannot both be set", "keep one"),
        ({"data": {"time": None}, "train": {"window": "7d"}}, "train.window", "needs a time column", "train.max_rows"),
        ({"data": {"time": "sold"}}, "data.time", "'sold' is the target", None),
        ({"data": {"key": ["sold"]}}, "data.target", "listed as key or excluded", "off that list"),
        ({"data": {"exclude": ["sold"]}}, "data.target", "listed as key or excluded", "off that list"),
        (
            {"retrain": {"triggers": {"schedule": "every day"}}},
            "retrain.triggers.schedule",
            "is not a cron expression",
            "Mondays",
        ),
        (
            {"retrain": {"rollout": {"canary": [{"percent": 50}, {"percent": 5}]}}},
            "retrain.rollout.canary",
            "must grow from step to step, got [50.0, 5.0]",
            None,
        ),
        ({"retrain": {"policy": "stack"}}, "retrain.policy", "nothing says how many", "retrain.triggers.new_rows"),
        ({"retrain": STACK, "data": {"time": None}}, "retrain.policy", "a stack needs a time column", "set data.time"),
        ({"record": {"hash": ["price"]}}, "record.hash", "'price' is learned from", "data.exclude"),
        (
            {"record": {"hash": ["key"]}, "serve": {"key": "shop"}},
            "record.hash",
            "'shop', is learned from",
            "data.exclude",
        ),
        (
            {"record": {"drop": ["key"]}, "serve": {"key": "shop"}},
            "record.drop",
            "'shop', is learned from",
            "data.exclude",
        ),
        ({"record": {"drop": ["sold"]}}, "record.drop", "'sold' is the target", "off the list"),
        ({"record": {"drop": ["day"]}}, "record.drop", "'day' is the time column", "off the list"),
        ({"record": {"drop": ["key"], "hash": ["key"]}}, "record.hash", "'key' is in record.drop too", "keep one"),
        (
            {"data": {"time": None, "key": ["a"]}, "record": {"hash": ["a"]}},
            "record.hash",
            "without data.time",
            "set data.time",
        ),
        (
            {"watch": {"groups": {"protected": ["day"]}}},
            "watch.groups.protected",
            "'day' is the time column: it makes no groups",
            "another",
        ),
        ({"watch": {"groups": {"slices": ["sold"]}}}, "watch.groups.slices", "'sold' is the target", "another"),
        (
            {"data": {"key": ["shop"]}, "watch": {"groups": {"slices": ["shop"]}}},
            "watch.groups.slices",
            "'shop' is a key",
            "another",
        ),
        (
            {"data": {"exclude": ["sex"]}, "watch": {"groups": {"protected": ["sex"]}}, "record": {"drop": ["sex"]}},
            "watch.groups.protected",
            "its groups would not be known",
            "off one of the lists",
        ),
        ({"train": {"memory": "lots"}}, "train.memory", "'lots' is not a size", "4GB"),
        ({"serve": {"memory": "lots"}}, "serve.memory", "'lots' is not a size", "4GB"),
        ({"serve": {"max_body": "big"}}, "serve.max_body", "'big' is not a size", "4GB"),
        ({"serve": {"max_job": "-1GB"}}, "serve.max_job", "'-1GB' is not a size", "4GB"),
        ({"serve": {"grpc_port": 8701}}, "serve.grpc_port", "8701 is serve.control_port too", "own"),
        ({"serve": {"control_port": 8700}}, "serve.control_port", "8700 is serve.port too", "own"),
        (
            {"gate": {"metrics": {"r2": {"min": 0.9, "max": 0.1}}}},
            "gate.metrics.r2",
            "min 0.9 is above max 0.1",
            "correct",
        ),
    ],
)
def test_what_cannot_be_is_named_by_path_and_remedy(parts, path, says, remedy):
    found = list(impossible(project(**parts)))
    told = {".".join(where): (message, hint) for where, message, hint in found}
    assert path in told
    message, hint = told[path]
    assert says in message
    assert hint is None if remedy is None else remedy in hint


def test_all_that_is_impossible_is_told_not_only_the_first():
    found = impossible(project(watch={"window": "0s"}, serve={"max_body": "big", "grpc_port": 8700}))
    assert [".".join(path) for path, _, _ in found] == ["serve.max_body", "watch.window", "serve.grpc_port"]
