"""The demo's project: its homeostat.yaml, its data files, and a training function that nobody should use."""

import socket
from datetime import datetime
from pathlib import Path

import polars as pl

from homeostat.demo.flights import TIME

_YAML = """\
# The demo's policy: this file is all that a project needs.
version: 1
model: {model}
task: binary
data:
  source: {source}
  target: late
  time: departure
  label_delay: 1d            # whether a flight was late is known a day after it was due to leave
train:
  window: 56d                # learn from the last eight weeks
  params: {{max_iter: 60}}     # 60 boosted trees
gate:
  slices: {{columns: [origin]}}
watch:
  window: 7d
retrain:
  triggers:
    performance: true        # when labelled windows are worse than they should be
    new_rows: 12000          # and every two weeks anyway
  cooldown: 7d
  rollout:
    shadow_requests: 30
    canary:
      - {{percent: 25, requests: 20}}
      - {{percent: 80, requests: 60}}
    labels: 1800             # labelled rows of the canary before it may become champion
    poll: 200ms
serve:
  port: {port}
  control_port: {control_port}
"""

_SHUFFLED = '''\
"""A deliberately bad challenger: the usual trainer, but it learns shuffled labels by heart, so it is sure of what it cannot know."""

from dataclasses import replace

from homeostat.train.default import train as sound


def train(data):
    shuffled = data.frame[data.target].shuffle(seed=data.seed)
    by_heart = {"max_iter": 60, "learning_rate": 1.0, "max_leaf_nodes": 127, "min_samples_leaf": 5}
    return sound(replace(data, frame=data.frame.with_columns(shuffled), params=by_heart))
'''


def write_project(
    folder: Path, rows: pl.DataFrame, *, model: str, source: str, until: datetime | None = None, port: int = 0
) -> Path:
    """Write a project that learns from the flights before `until` (None: all) and return its homeostat.yaml."""
    folder.mkdir(parents=True, exist_ok=True)
    known = rows if until is None else rows.filter(pl.col(TIME) < until)
    known.write_parquet(folder / source)
    (folder / "shuffled.py").write_text(_SHUFFLED)
    file = folder / "homeostat.yaml"
    file.write_text(_YAML.format(model=model, source=source, port=port or 8700, control_port=(port or 8700) + 1))
    return file


def free_pair() -> int:
    """Return a port that is free together with the next one."""
    for _ in range(50):
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise OSError("no two neighbouring ports are free")
