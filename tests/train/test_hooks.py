import sys

import pytest

from homeostat.core.columns import Task
from homeostat.core.errors import InvalidInput
from homeostat.train.hooks import TrainingData, load_hook


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def write(text, name="hk_model.py"):
        (tmp_path / name).write_text(text)
        return tmp_path

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("hk_"):
            del sys.modules[name]


def test_the_function_is_found_in_the_project(project):
    assert load_hook("hk_model:train", project("def train(data):\n    return 7\n"))(None) == 7


@pytest.mark.parametrize(
    ("text", "name", "says", "hint"),
    [
        ("", "hk_model.train", "does not name a function", "module:function"),
        ("", "hk_model:train; import os", "does not name a function", "module:function"),
        ("", "hk_modle:train", "no module 'hk_modle'", "did you mean 'hk_model'"),
        ("def trian(data): ...\n", "hk_model:train", "no function 'train'", "did you mean 'trian'"),
        ("", "hk_model:train", "no function 'train'", "define train"),
        ("train = 3\n", "hk_model:train", "is a int, not a function", "define train"),
        ("\nimport nowhere_at_all\n", "hk_model:train", r"No module named 'nowhere_at_all' \(hk_model.py:2", "install 'nowhere_at_all'"),
        ("x = 1\nraise ValueError('not now')\n", "hk_model:train", r"ValueError: not now \(hk_model.py:2 in <module>\)", "python -c"),
        ("def train(data)\n", "hk_model:train", r"SyntaxError: .*hk_model.py:1", "python -c"),
        ("import sys\nsys.exit(4)\n", "hk_model:train", r"SystemExit: 4 \(hk_model.py:2", "python -c"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_told_with_a_remedy(project, text, name, says, hint):
    root = project(text)
    with pytest.raises(InvalidInput, match=says) as raised:
        load_hook(name, root)
    assert hint in raised.value.hint


def test_a_file_named_like_a_module_of_python_is_refused(project):
    with pytest.raises(InvalidInput, match="also a module of Python"):
        load_hook("json:train", project("def train(data): ...\n", name="json.py"))


def test_the_same_name_in_two_projects_is_not_confused(project, tmp_path):
    project("def train(data):\n    return 1\n")
    other = tmp_path / "other"
    other.mkdir()
    (other / "hk_model.py").write_text("def train(data):\n    return 2\n")
    assert [load_hook("hk_model:train", root)(None) for root in (tmp_path, other)] == [1, 2]


def test_what_a_train_function_gets(rows, signature):
    data = TrainingData(frame=rows(30), signature=signature(), seed=3, params={"depth": 2})
    assert data.X.shape == (30, 6)
    assert data.y.shape == (30,)
    assert set(data.y.tolist()) == {"no", "yes"}
    assert data.features == list(signature().names)
    assert (data.task, data.target, data.categorical, data.seed) == (Task.BINARY, "late", ["city"], 3)
    data.log_param("depth", 2)
    data.log_metric("fit", 1)
    assert (data.logged_params, data.logged_metrics) == ({"depth": "2"}, {"fit": 1.0})
