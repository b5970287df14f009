import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.train.redact import Redactor
from homeostat.train.runner import BoundedLog, Limits, run_child, scrubbed

LIMITS = Limits(timeout_s=20, memory_bytes=500_000_000)


@pytest.fixture
def run(tmp_path):
    """Run lines of Python as the module of a child; `spec` is there, `answer(value)` writes the answer."""

    def go(text, *, limits=LIMITS, environment=None, **spec):
        folder = tmp_path / "modules"
        folder.mkdir(exist_ok=True)
        prelude = (
            "import json, sys, os\nspec = json.load(open(sys.argv[1]))\n"
            "def answer(value):\n    open(spec['answer'], 'w').write(json.dumps(value))\n"
        )
        (folder / "run_me.py").write_text(prelude + text)
        given = {**os.environ, "PYTHONPATH": str(folder), **(environment or {})}
        named = Limits(timeout_s=limits.timeout_s, memory_bytes=limits.memory_bytes, env=(*limits.env, "PYTHONPATH"))
        return run_child("run_me", spec, limits=named, cwd=tmp_path, workdir=tmp_path, environment=given)

    return go


def test_the_spec_goes_in_and_the_answer_comes_out(run, tmp_path):
    result = run("print('hello'); answer({'sum': spec['a'] + 1, 'cwd': os.getcwd()})", a=2)
    assert (result.ended, result.exit, result.log) == ("exited", 0, "hello\n")
    assert result.answer == {"sum": 3, "cwd": str(tmp_path)}
    assert result.duration_s > 0
    assert result.cpu_s > 0
    assert result.peak_bytes > 5_000_000


def test_an_answer_of_an_earlier_child_is_not_taken_for_this_ones(run):
    run("answer({'ok': 1})")
    assert run("os._exit(3)").answer is None


def test_exit_codes_and_signals_are_told(run):
    assert run("os._exit(3)").exit == 3
    assert run("import signal; os.kill(os.getpid(), signal.SIGSEGV)").exit == -signal.SIGSEGV


def test_a_child_that_hangs_is_killed_with_its_children(run, tmp_path):
    text = (
        "import subprocess, time\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))\ntime.sleep(60)\n"
    )
    result = run(text, limits=Limits(timeout_s=1.5, memory_bytes=500_000_000))
    assert result.ended == "timed out"
    assert 1.5 <= result.duration_s < 10
    assert not _lives(int((tmp_path / "pid").read_text()))


def test_processes_left_behind_end_with_their_parent(run, tmp_path):
    text = (
        "import subprocess\np = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid))\n"
    )
    assert run(text).ended == "exited"
    assert not _lives(int((tmp_path / "pid").read_text()))


def _lives(pid):
    """Return whether the process still lives after at most two seconds in which it may end."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return False
        except psutil.NoSuchProcess:
            return False
    return True


@pytest.mark.parametrize("where", ["itself", "a descendant"])
def test_a_child_that_eats_memory_is_killed(run, where):
    eat = "x = []\nwhile True:\n    x.append(bytearray(b'1' * 10_000_000))\n"
    text = eat if where == "itself" else f"import subprocess\nsubprocess.run([sys.executable, '-c', {eat!r}])"
    result = run(text, limits=Limits(timeout_s=20, memory_bytes=150_000_000))
    assert result.ended == "out of memory"
    assert result.peak_bytes > 150_000_000


def test_endless_output_is_bounded_and_its_beginning_and_end_stay(run):
    result = run("print('first')\nfor i in range(200_000): print('line', i)\nprint('last')")
    assert len(result.log) < 600_000
    assert result.log.startswith("first\n")
    assert result.log.endswith("last\n")
    assert "bytes left out" in result.log


def test_secrets_are_neither_passed_on_nor_logged(run):
    environment = {"MY_API_KEY": "open-sesame", "REGION": "north", "NAMED_TOKEN": "swordfish"}
    text = "print(os.environ.get('MY_API_KEY'), os.environ.get('REGION'), os.environ['NAMED_TOKEN'], 'open-sesame')\nanswer({'token': os.environ['NAMED_TOKEN']})"
    result = run(text, environment=environment, limits=Limits(timeout_s=20, memory_bytes=10**9, env=("NAMED_TOKEN",)))
    assert result.log == "None None [redacted] [redacted]\n"
    assert result.answer == {"token": "[redacted]"}


def test_an_answer_with_secrets_next_to_quotes_stays_an_answer(run):
    text = "answer({'message': 'password=hunter2\\\\\" and -----BEGIN PRIVATE KEY----- abc', 'n': [1, None]})"
    answer = run(text).answer
    assert "hunter2" not in answer["message"]
    assert "abc" not in answer["message"]
    assert answer["n"] == [1, None]


@pytest.mark.parametrize("written", ["", "{", "[1]", "nonsense"])
def test_what_is_no_answer_is_none(run, written):
    assert run(f"open(spec['answer'], 'w').write({written!r})").answer is None


def test_thread_limits_and_locale_are_passed_on():
    kept = scrubbed({"OMP_NUM_THREADS": "2", "LC_ALL": "C", "AWS_PROFILE": "x", "MINE": "1"}, ("MINE",))
    assert kept.keys() >= {"OMP_NUM_THREADS", "LC_ALL", "MINE"}
    assert "AWS_PROFILE" not in kept
    assert kept["OMP_WAIT_POLICY"] == "PASSIVE"
    assert scrubbed({"OMP_WAIT_POLICY": "ACTIVE"}, ())["OMP_WAIT_POLICY"] == "ACTIVE"


def test_a_folder_that_is_absent_is_told(tmp_path):
    with pytest.raises(InvalidInput, match="cannot be started"):
        run_child("json.tool", {}, limits=LIMITS, cwd=tmp_path / "nowhere", workdir=tmp_path)


def test_a_line_cut_in_the_middle_is_not_kept():
    log = BoundedLog(head_bytes=20, tail_bytes=20)
    log.add(b"one\npassword=swordfish\n" + b"x" * 50 + b"swordfish\nend\n")
    assert "sword" not in log.text(Redactor({}))
    assert log.text(Redactor({})).endswith("end\n")


def test_the_training_child_ends_when_its_parent_dies(tmp_path, rows, signature, roles):
    """A parent starts a training that hangs, and is killed with -9: the child must follow by itself."""
    (tmp_path / "hang_here.py").write_text(
        "import os, time\ndef train(data):\n    open('pid.new', 'w').write(str(os.getpid()))\n    os.rename('pid.new', 'pid')\n    time.sleep(60)\n"
    )
    rows(50).write_ipc(tmp_path / "rows.arrow")
    from homeostat.train.signature import to_json

    (tmp_path / "signature.json").write_text(json.dumps(to_json(signature())))
    script = """
import json, polars as pl
from pathlib import Path
from homeostat.core.columns import Roles
from homeostat.train.jobs import train_in_child
from homeostat.train.settings import TrainSettings
from homeostat.train.signature import from_json
train_in_child(pl.read_ipc("rows.arrow"), None, roles=Roles(target="late", time="at"), signature=from_json(json.loads(Path("signature.json").read_text())),
    settings=TrainSettings(function="hang_here:train"), root=Path("."), workdir=Path("work"))
"""
    parent = subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path)
    until = time.monotonic() + 60
    while not (tmp_path / "pid").exists():
        assert time.monotonic() < until
        assert parent.poll() is None
    parent.kill()
    parent.wait()
    assert not _lives(int((tmp_path / "pid").read_text()))
