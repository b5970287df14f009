import numpy as np
import pytest

from homeostat.core.columns import Task
from homeostat.core.errors import NotFound
from homeostat.track.predictions import Predictions
from homeostat.watch.detection import listen
from homeostat.watch.detectors import DETECTORS

BINARY = {"task": Task.BINARY, "metric": "log_loss"}


def window(error, *, seed, rows=600):
    """Return the truth, and answers that are wrong in that share of rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, rows)
    wrong = rng.random(rows) < error
    p = np.where(y ^ wrong, 0.8, 0.2)
    scores = np.column_stack([1 - p, p])
    return y, Predictions(labels=(p > 0.5).astype(int), scores=scores, classes=(0, 1))


def play(names, errors, *, version=1, state=None):
    found = []
    for at, error in enumerate(errors):
        y, said = window(error, seed=at)
        heard = listen(state, version=version, names=names, y=y, predictions=said, **BINARY)
        state = heard.state
        found.append([one.detector for one in heard.detections])
    return found, state


def test_a_rise_between_windows_is_heard_and_calm_is_not():
    found, _ = play(["adwin"], [0.1, 0.1, 0.1, 0.5])
    assert found == [[], [], [], ["adwin"]]


def test_every_detector_may_listen_at_once():
    found, state = play(sorted(DETECTORS), [0.05, 0.05, 0.6])
    assert {"adwin", "cusum", "ddm", "ewma", "hddm_w"} <= set(found[2])
    assert set(state["detectors"]) == set(DETECTORS)


def test_another_version_is_heard_from_the_beginning():
    _, state = play(["adwin"], [0.1, 0.1, 0.1])
    assert play(["adwin"], [0.5], version=2, state=state)[0] == [[]]
    assert play(["adwin"], [0.5], version=1, state=state)[0] == [["adwin"]]


def test_numbers_have_losses_and_no_errors_and_what_is_no_number_is_left_out():
    y = np.r_[np.zeros(400), [np.nan], np.full(200, 9.0)]
    said = Predictions(labels=np.random.default_rng(0).normal(size=601) * 0.1)
    names = ["adwin", "ddm"]
    heard = listen(None, version=1, names=names, y=y, predictions=said, metric="mae", task=Task.REGRESSION)
    assert [one.detector for one in heard.detections] == ["adwin"]
    assert heard.detections[0].row > 400
    assert set(heard.state["detectors"]) == {"adwin"}


def test_a_name_that_is_none_is_refused():
    y, said = window(0.1, seed=0)
    with pytest.raises(NotFound, match="no detector"):
        listen(None, version=1, names=["adwim"], y=y, predictions=said, **BINARY)
