"""A batch on Ray gives what it gives here. In a process of its own: Ray stays in the one that it was started in."""

import subprocess
import sys

import polars as pl
import pytest
from tests.serve.batch.packages import rows, write

pytest.importorskip("ray")

_PROGRAM = """
import sys
from pathlib import Path
from homeostat.serve.batch.batch import Order, run_batch
from homeostat.serve.batch.executor import Model
from homeostat.serve.batch.executors import executors
folder = Path(sys.argv[1])
for on in ("here", "ray"):
    order = Order(files=(folder / "a.parquet",), output=folder / f"{on}.parquet", asked="m", model="m", version=1, run_id="r", on_bad="skip", rows=300)
    run_batch(order, Model(folder=folder / "package"), executors()[on])
import os, ray
print(os.environ["RAY_AUTH_MODE"])
ray.shutdown()
"""


@pytest.mark.long
def test_ray_gives_the_same_output(tmp_path):
    write(tmp_path / "package")
    rows(2000).write_parquet(tmp_path / "a.parquet")
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], check=True, capture_output=True, text=True, timeout=240
    ).stdout
    assert said.splitlines()[-1] == "token"
    here, there = (pl.read_parquet(tmp_path / f"{on}.parquet") for on in ("here", "ray"))
    assert here.equals(there)
