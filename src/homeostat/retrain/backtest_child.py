"""A policy's replay in a process of its own: `python -m homeostat.retrain.backtest_child SPEC`. User code runs here, never in the CLI."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from homeostat.core.duration import read, written
from homeostat.core.errors import HomeostatError
from homeostat.core.values import Json
from homeostat.retrain.backtest import Progress, Strategy, prepare, replay
from homeostat.retrain.project import Project
from homeostat.retrain.settings import RetrainSettings
from homeostat.retrain.timeline import Span
from homeostat.train.traces import told


def as_json(value: Any) -> Any:
    """Return settings as JSON values, durations as people write them."""
    return msgspec.to_builtins(value, enc_hook=written)


def spec_of(
    *,
    name: str,
    strategy: Strategy,
    project: Project,
    frame: Path,
    root: Path,
    history: Span | None,
    step: Span | None,
    progress: Path,
    stop: Path,
) -> Json:
    """Return what the child is told. It ends when `stop` appears."""
    return {
        "name": name,
        "strategy": strategy if isinstance(strategy, str) else as_json(strategy),
        "project": as_json(project),
        "frame": str(frame),
        "root": str(root.resolve()),
        "history": _span_json(history),
        "step": _span_json(step),
        "progress": str(progress),
        "stop": str(stop),
    }


def run(spec: Json) -> Json:
    """Replay one policy and return its result as JSON values."""
    project = msgspec.convert(spec["project"], Project, dec_hook=read)
    strategy = spec["strategy"]
    if not isinstance(strategy, str):
        strategy = msgspec.convert(strategy, RetrainSettings, dec_hook=read)
    line, kinds = prepare(
        pl.read_ipc(spec["frame"]),
        project=project,
        history=_span(spec["history"]),
        step=_span(spec["step"]),
    )
    with Path(spec["progress"]).open("a", encoding="utf-8") as lines:

        def tell(progress: Progress) -> None:
            lines.write(json.dumps(asdict(progress)) + "\n")
            lines.flush()

        result = replay(
            line, kinds, name=spec["name"], strategy=strategy, project=project, root=Path(spec["root"]), progress=tell
        )
    found: Json = msgspec.to_builtins(result)
    return found


def main(spec_file: str) -> None:
    """Do what the spec says, write `{"ok": ...}` or `{"error": ...}`, and end at once, whatever threads user code left behind."""
    spec: Json = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    _end_with(lambda: os.getppid() != spec["parent"] or Path(spec["stop"]).exists())
    try:
        said: Json = {"ok": run(spec)}
    except HomeostatError as error:
        said = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        traceback.print_exception(error, file=sys.stderr)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - border: the replay runs the user's code
        said = {"error": {"code": "raised", "message": told(error, Path(spec["root"])), "hint": None}}
        traceback.print_exception(error, file=sys.stderr)
    fresh = Path(spec["answer"] + ".new")
    fresh.write_text(json.dumps(said), encoding="utf-8")
    fresh.replace(spec["answer"])
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0 if "ok" in said else 1)


def _end_with(is_over: Callable[[], bool]) -> None:
    """End this process group when nobody waits for the result any more."""

    def watch() -> None:
        while not is_over():
            time.sleep(0.2)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _span_json(span: Span | None) -> Any:
    return span.total_seconds() if isinstance(span, timedelta) else None if span is None else {"rows": span}


def _span(value: Any) -> Span | None:
    if isinstance(value, dict):
        return int(value["rows"])
    return None if value is None else timedelta(seconds=value)


if __name__ == "__main__":
    main(sys.argv[1])
