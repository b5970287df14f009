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
import os, ray, psutil
assert os.environ["RAY_AUTH_MODE"] == "token"
own = psutil.Process()
open_to_all = [c for p in own.children(recursive=True) for c in p.net_connections(kind="tcp") if c.status == "LISTEN" and c.laddr.ip not in ("127.0.0.1", "::1")]
print(sorted({(psutil.Process(c.pid).name() if getattr(c, "pid", None) else "", c.laddr.ip) for c in open_to_all}))
print(ray.nodes()[0]["NodeManagerAddress"])
ray.shutdown()
"""


@pytest.mark.long
def test_ray_gives_the_same_output(tmp_path):
    write(tmp_path / "package")
    rows(2000).write_parquet(tmp_path / "a.parquet")
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], check=True, capture_output=True, text=True, timeout=240
    ).stdout
    assert said.splitlines()[-1] == "127.0.0.1"
    here, there = (pl.read_parquet(tmp_path / f"{on}.parquet") for on in ("here", "ray"))
    assert here.equals(there)
