import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import numpy as np
import polars as pl
import psutil
import pytest

from homeostat.core.errors import JobFailed
from homeostat.core.ports.probe import CandidateProbe
from homeostat.serve.probe import ServerProbe
from homeostat.testing.serving import BINARY, REGRESSION
from homeostat.train.package import predict, read_package, write_package

ROWS = [{"x": n / 7, "city": None if n % 3 else "Ulm"} for n in range(6)]


class Rule:
    """Answers from its columns, so that a changed order or value shows."""

    def predict_proba(self, frame):
        p = np.clip(frame["x"].to_numpy() / 3 + (frame["city"] == "Ulm").to_numpy() / 2, 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


class Linear:
    def predict(self, frame):
        return frame["x"].to_numpy() * 3.0 + 1.0


class Noisy(Rule):
    def predict_proba(self, frame):
        print('{"port": 1}', flush=True)
        print("noise", file=sys.stderr)
        return super().predict_proba(frame)


class SpeaksLastWords:
    def predict(self, frame):
        if len(frame) and frame["x"].iloc[0] > 0.5:
            print("no such file: weights.bin", flush=True)
            os._exit(9)
        return np.array(["no"] * len(frame))


class NaNs:
    def predict(self, frame):
        return np.full(len(frame), np.nan)


class ShowsEnvironment:
    def predict(self, frame):
        return np.full(len(frame), float(os.environ.get("HOMEOSTAT_TEST_TOKEN", "-1")))


class HangsOnLoad:
    def __reduce__(self):
        return (time.sleep, (60,))


class DiesOnLoad:
    def __reduce__(self):
        return (os._exit, (7,))


class FailsOnLoad:
    def __reduce__(self):
        return (int, ("not a number",))


class HangsOnRow:
    def predict(self, frame):
        if len(frame) and frame["x"].iloc[0] > 0.5:
            time.sleep(60)
        return np.array(["no"] * len(frame))


@pytest.fixture
def packaged(tmp_path):
    import cloudpickle

    def write(model, signature=BINARY):
        example = pl.DataFrame(ROWS, schema={"x": pl.Float64, "city": pl.String})
        folder = tmp_path / "package"
        cloudpickle.register_pickle_by_value(sys.modules[__name__])
        try:
            write_package(model, folder, signature=signature, example=example, now=datetime(2024, 1, 1, tzinfo=UTC))
        finally:
            cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
        return folder

    return write


def children():
    return [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize(("model", "signature"), [(Rule(), BINARY), (Linear(), REGRESSION), (Noisy(), BINARY)])
def test_the_real_server_answers_what_the_package_answers_here(packaged, model, signature):
    folder = packaged(model, signature)
    probe: CandidateProbe = ServerProbe()
    answer = probe.predict(folder, ROWS, timeout_s=60)
    wanted = predict(read_package(folder), pl.DataFrame(ROWS, schema={"x": pl.Float64, "city": pl.String}))
    assert answer.outputs == wanted.to_frame().to_dicts()
    assert 0 < answer.load_s < 60
    assert len(answer.latency_ms) == len(ROWS)
    assert min(answer.latency_ms) > 0
    assert children() == []


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        (DiesOnLoad(), r"ended while it loaded .*exit 7", None),
        (FailsOnLoad(), "does not load in a fresh server.*not a number", None),
        (SpeaksLastWords(), "died when the candidate was asked row 4", "weights.bin"),
    ],
)
def test_a_candidate_that_cannot_live_there_is_told_with_its_last_words(packaged, model, message, hint):
    with pytest.raises(JobFailed, match=message) as caught:
        ServerProbe().predict(packaged(model), ROWS, timeout_s=60)
    assert hint is None or hint in caught.value.hint
    assert children() == []


@pytest.mark.parametrize(
    ("model", "message", "timeout_s"),
    [(HangsOnLoad(), "did not load in time", 1.5), (HangsOnRow(), "did not answer row 4 in time", 5)],
)
def test_a_candidate_that_hangs_is_ended_in_time(packaged, model, message, timeout_s):
    folder = packaged(model)
    start = time.monotonic()
    with pytest.raises(JobFailed, match=message):
        ServerProbe().predict(folder, ROWS, timeout_s=timeout_s)
    assert time.monotonic() - start < timeout_s + 5
    assert children() == []


def test_an_answer_that_is_no_number_fails_the_row(packaged):
    with pytest.raises(JobFailed, match="answered 500 to row 0"):
        ServerProbe().predict(packaged(NaNs(), REGRESSION), ROWS, timeout_s=60)


def test_rows_that_the_signature_refuses_fail_with_the_field(packaged):
    with pytest.raises(JobFailed, match=r"answered 422 to row 1.*'x'"):
        ServerProbe().predict(packaged(Rule()), [ROWS[0], {"x": None, "city": None}], timeout_s=60)


def test_a_folder_that_is_no_package_is_told(tmp_path):
    with pytest.raises(JobFailed, match="not a model package"):
        ServerProbe().predict(tmp_path / "nothing", ROWS, timeout_s=60)


def test_the_model_sees_only_the_variables_that_were_named(packaged, monkeypatch):
    monkeypatch.setenv("HOMEOSTAT_TEST_TOKEN", "42")
    folder = packaged(ShowsEnvironment(), REGRESSION)
    assert ServerProbe().predict(folder, ROWS[:1], timeout_s=60).outputs == [{"prediction": -1.0}]
    shown = ServerProbe(env=["HOMEOSTAT_TEST_TOKEN"]).predict(folder, ROWS[:1], timeout_s=60)
    assert shown.outputs == [{"prediction": 42.0}]


PARENT = """
import sys
from pathlib import Path
from homeostat.serve.probe import ServerProbe
ServerProbe().predict(Path(sys.argv[1]), [{"x": 0.9, "city": None}], timeout_s=60)
"""


def test_the_server_ends_with_the_process_that_started_it(packaged):
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(packaged(HangsOnRow()))])
    found: list[psutil.Process] = []
    until = time.monotonic() + 30
    while not any("probe_server" in " ".join(_command(each)) for each in found) and time.monotonic() < until:
        found = psutil.Process(parent.pid).children()
        threading.Event().wait(0.02)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    _, alive = psutil.wait_procs(found, timeout=20)
    assert found
    assert alive == []


def _command(process):
    try:
        return process.cmdline()
    except psutil.Error:
        return []
