"""Profiles on Ray are those made here. In a process of its own: Ray stays in the one that it was started in."""

import subprocess
import sys

import numpy as np
import pytest
from tests.watch.comparison.worlds import world

from homeostat.watch.profile import WindowProfile

pytest.importorskip("ray")

_PROGRAM = """
import sys
from pathlib import Path
import homeostat.watch.comparison.tables as tables
from homeostat.app.drifting import drift_profile
tables.PIECE = 500
folder = Path(sys.argv[1])
for on in ("here", "ray"):
    drift_profile("a.parquet", root=folder, output=folder / f"{on}.json", on=on)
import os, ray
print(os.environ["RAY_AUTH_MODE"])
ray.shutdown()
"""


@pytest.mark.long
def test_ray_gives_the_same_profile(tmp_path):
    world(0, 5_000).write_parquet(tmp_path / "a.parquet")
    said = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)], check=True, capture_output=True, text=True, timeout=240
    ).stdout
    assert said.splitlines()[-1] == "token"
    here, there = (WindowProfile.from_bytes((tmp_path / f"{on}.json").read_bytes()) for on in ("here", "ray"))
    assert (here.rows, here.kinds) == (there.rows, there.kinds)
    for name in ("x", "n"):
        a, b = here.columns[name], there.columns[name]
        assert (a.counts, a.edges, a.moments, a.least, a.greatest) == (
            b.counts,
            b.edges,
            b.moments,
            b.least,
            b.greatest,
        )
        ranks = np.linspace(0.05, 0.95, 19)
        assert np.abs(a.quantiles(ranks) - b.quantiles(ranks)).max() < 0.2 * a.moments.sd
    for name in ("c", "b", "w"):
        a, b = here.columns[name], there.columns[name]
        assert getattr(a, "counts", None) == getattr(b, "counts", None)
    assert here.columns["t"].hours == there.columns["t"].hours
