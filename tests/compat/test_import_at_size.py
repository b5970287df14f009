"""A store of two million points is brought over by a process that is killed several times."""

import json
import os
import random
import secrets
import sqlite3
import subprocess
import sys
import time

import pytest
from tests.compat.big_store import fill_big

pytest.importorskip("mlflow", reason="no mlflow here")
pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]
SIZE = {"runs": 2000, "metrics": 20, "steps": 50, "versions": 200}


def command(database, home):
    there = ["--database", f"sqlite:///{home}/db", "--artifacts", str(home / "blobs")]
    return [sys.executable, "-m", "homeostat", "import", "mlflow", "--from", str(database), *there, "--json"]


def here(home) -> int:
    """Return how many runs have come over whole."""
    if not (home / "db").exists():
        return 0
    with sqlite3.connect(f"file:{home}/db?mode=ro", uri=True) as database:
        try:
            return database.execute("SELECT count(*) FROM run_tags WHERE key = 'homeostat.imported'").fetchone()[0]
        except sqlite3.OperationalError:  # the tables are not there yet
            return 0


@pytest.mark.timeout(3600)
def test_a_big_store_comes_over_though_it_is_killed(tmp_path):
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    stops = sorted(random.Random(seed).sample(range(1, SIZE["runs"]), 3))
    database = fill_big(tmp_path, **SIZE)
    home = tmp_path / "ours"
    home.mkdir()
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOMEOSTAT_")}
    began = time.perf_counter()
    for stop in stops:
        with subprocess.Popen(command(database, home), cwd=home, env=env, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and here(home) < stop:
                time.sleep(0.05)
            process.kill()
        assert process.returncode < 0, "it ended before it was killed"
        assert here(home) >= stop
    done = subprocess.run(command(database, home), cwd=home, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    print(f"{time.perf_counter() - began:.0f} s with {len(stops)} kills; killed at {stops}; {told['here']}")
    assert told["agrees"]
    assert told["problems"] == []
    wanted = {
        "runs": SIZE["runs"] + 1,
        "params": SIZE["runs"] * 10,
        "metrics": SIZE["runs"] * SIZE["metrics"],
        "metric points": SIZE["runs"] * SIZE["metrics"] * SIZE["steps"],
        "model versions": SIZE["versions"],
        "files": 2 * SIZE["runs"] // 10,
    }
    assert {name: told["here"][name] for name in wanted} == wanted
