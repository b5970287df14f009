import re

import numpy as np
import polars as pl
import pytest

from homeostat.core.columns import Task
from homeostat.core.duration import Duration
from homeostat.core.errors import JobFailed, NotEnoughData
from homeostat.train.fit import fit
from homeostat.train.jobs import predict_in_child, train_in_child
from homeostat.train.package import Package, predict
from homeostat.train.settings import TrainSettings

RULE = """
from dataclasses import dataclass

@dataclass
class Rule:
    limit: float
    def predict(self, X):
        return ['yes' if v > self.limit else 'no' for v in X['count']]

"""


@pytest.fixture
def train(tmp_path, rows, signature, roles):
    """Train in a child with the given source of `model.py`."""

    def go(text=None, *, task=Task.BINARY, test=True, frame=None, environment=None, **settings):
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        if text is not None:
            (root / "model.py").write_text(text)
            settings["function"] = "model:train"
        frame = rows(120, task=task) if frame is None else frame
        return train_in_child(
            frame[:100],
            frame[100:] if test else None,
            roles=roles,
            signature=signature(task),
            settings=TrainSettings(**settings),
            root=root,
            workdir=tmp_path / "work",
            environment=environment,
        )

    return go


@pytest.mark.parametrize("task", list(Task))
def test_the_default_trainer_in_a_child_is_the_one_in_this_process(  # noqa: PLR0917 - fixtures
    train, task, rows, signature, roles, tmp_path
):
    frame = rows(120, task=task)
    trained = train(task=task, params={"max_iter": 10})
    here = fit(
        frame[:100],
        roles=roles,
        signature=signature(task),
        settings=TrainSettings(params={"max_iter": 10}),
        root=tmp_path,
    )
    wanted = predict(Package(model=here, signature=signature(task)), frame[100:])
    assert trained.predictions.labels.tolist() == wanted.labels.tolist()
    if wanted.scores is not None:
        assert np.array_equal(trained.predictions.scores, wanted.scores)
    assert trained.rows == 100
    assert trained.params["max_iter"] == "10"
    assert trained.cpu_s > 0
    assert trained.peak_bytes > 50_000_000


def test_a_users_function_logs_prints_and_returns_any_object_that_predicts(train, tmp_path, rows):
    trained = train(
        RULE + "def train(data):\n    print('rows', len(data.X), data.params['limit'])\n"
        "    data.log_param('limit', 40)\n    data.log_metric('share', 0.5)\n    return Rule(data.params['limit'])\n",
        params={"limit": 40},
    )
    assert trained.log == "rows 100 40\n"
    assert (tmp_path / "work" / "train.log").read_text() == trained.log
    assert (trained.params, trained.metrics) == ({"limit": "40"}, {"share": 0.5})
    assert trained.predictions.scores is None
    (tmp_path / "project" / "model.py").unlink()  # the package carries the class itself
    again = predict_in_child(
        trained.package, rows(120)[100:], settings=TrainSettings(), root=tmp_path, workdir=tmp_path / "again"
    )
    assert again.labels.tolist() == trained.predictions.labels.tolist()


def test_without_test_rows_there_are_no_predictions_and_the_model_is_still_tried(train):
    assert train(RULE + "def train(data):\n    return Rule(1)\n", test=False).predictions is None
    with pytest.raises(JobFailed, match="shape"):
        train(
            "class M:\n    def predict(self, X):\n        return ['no']\ndef train(data):\n    return M()\n", test=False
        )


def test_labels_that_are_null_are_dropped_and_counted(train, rows):
    frame = rows(120).with_columns(late=pl.when(pl.int_range(120) < 30).then(None).otherwise("late"))
    trained = train(RULE + "def train(data):\n    return Rule(len(data.y))\n", frame=frame)
    assert (trained.rows, trained.dropped) == (70, 30)
    with pytest.raises(NotEnoughData):
        train(frame=frame.with_columns(late=pl.lit(None, pl.String)))


BAD = {
    "raises": ("def train(data):\n    raise ValueError('no luck')\n", r"raised ValueError: no luck \(model.py:2 in train\)"),
    "raises deep in a library": ("def train(data):\n    import json\n    json.loads('{')\n", r"JSONDecodeError: .*\(model.py:3 in train\)"),
    "returns None": ("def train(data):\n    pass\n", "returned None and not a model"),
    "returns a number": ("def train(data):\n    return 3\n", "returned a int, which has no method predict"),
    "returns a class": (RULE + "def train(data):\n    return Rule\n", "returned the class Rule"),
    "sys.exit": ("import sys\ndef train(data):\n    sys.exit(0)\n", r"called sys.exit\(0\)"),
    "os._exit": ("import os\ndef train(data):\n    os._exit(0)\n", "ended by itself with exit code 0"),
    "crashes": ("import os\ndef train(data):\n    os.abort()\n", "killed by SIGABRT"),
    "predicts too few": ("class M:\n    def predict(self, X):\n        return ['no']\ndef train(data):\n    return M()\n", r"shape \(1,\) for 20 rows"),
    "predicts raises": ("class M:\n    def predict(self, X):\n        return X['nothing']\ndef train(data):\n    return M()\n", r"KeyError: 'nothing' \(model.py:3 in predict\)"),
    "cannot be pickled": ("import threading\nclass M:\n    def __init__(self):\n        self.f = threading.Lock()\n    def predict(self, X): ...\ndef train(data):\n    return M()\n", "cannot be pickled"),
    "does not import": ("import nothing_here\n", "does not import"),
    "takes no argument": ("def train():\n    pass\n", "TypeError: train"),
    "interrupts itself": ("def train(data):\n    raise KeyboardInterrupt\n", "failed: KeyboardInterrupt"),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_train_function_gets_one_clear_error(train, tmp_path, name):
    text, says = BAD[name]
    with pytest.raises(JobFailed, match="training ") as raised:
        train(text)
    assert re.search(says, raised.value.message)
    assert "\n" not in raised.value.message
    assert raised.value.hint
    assert (tmp_path / "work" / "train.log").exists()


def test_a_function_that_hangs_is_stopped(train):
    with pytest.raises(JobFailed, match=r"stopped after \d+\.\d s: its limit is 3s") as raised:
        train("import time\ndef train(data):\n    print('thinking')\n    time.sleep(60)\n", timeout=Duration(seconds=3))
    assert "raise train.timeout" in raised.value.hint
    assert "  thinking" in raised.value.hint


def test_a_function_that_eats_memory_is_stopped(train):
    eat = "def train(data):\n    x = []\n    while True:\n        x.append(bytearray(b'1' * 20_000_000))\n"
    with pytest.raises(JobFailed, match=r"it used \d+ MB of memory, its limit is 600MB"):
        train(eat, memory="600MB")


def test_a_function_that_prints_without_end_is_stopped_and_its_log_is_short(train, tmp_path):
    with pytest.raises(JobFailed, match="stopped after"):
        train("def train(data):\n    while True:\n        print('again ' * 1000)\n", timeout=Duration(seconds=4))
    assert (tmp_path / "work" / "train.log").stat().st_size < 600_000


def test_secrets_show_neither_in_the_log_nor_in_the_error_nor_in_what_is_logged(train, tmp_path):
    text = (
        "def train(data):\n    print('password=hunter22')\n    data.log_param('p', 'AKIAIOSFODNN7EXAMPLE')\n"
        "    import os\n    raise ValueError(os.environ['DB_PASSWORD'])\n"
    )
    with pytest.raises(JobFailed) as raised:
        train(text, env=["DB_PASSWORD"], environment={"DB_PASSWORD": "swordfish", "PATH": "/usr/bin"})
    told = raised.value.message + raised.value.hint + (tmp_path / "work" / "train.log").read_text()
    assert "ValueError: [redacted]" in raised.value.message
    assert not [secret for secret in ("hunter22", "swordfish", "AKIAIOSFODNN7EXAMPLE") if secret in told]


def test_the_output_that_an_error_shows_has_the_users_frames_or_nothing(train):
    with pytest.raises(JobFailed) as ours:
        train("def train(data):\n    return None\n")
    assert ours.value.hint == "end the function with `return model`"
    with pytest.raises(JobFailed) as theirs:
        train("def train(data):\n    return 1 / 0\n")
    assert "model.py" in theirs.value.hint.partition("the last lines of its output:")[2]
