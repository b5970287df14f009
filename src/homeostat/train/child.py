"""What runs in the child process: `python -m homeostat.train.child SPEC`. Reads frames, trains or predicts, writes an answer."""

import contextlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from homeostat.core.columns import Roles
from homeostat.core.errors import HomeostatError
from homeostat.track.predictions import Predictions
from homeostat.train.compiled.compiling import compile_package
from homeostat.train.fit import fit_logged
from homeostat.train.package import predict, read_package, write_package
from homeostat.train.recorded import settings_from_json
from homeostat.train.signature import as_the_model_says, from_json
from homeostat.train.traces import blame, told

Json = dict[str, Any]
_TRIAL_ROWS = 20


def train(spec: Json) -> Json:
    """Train, package, read the package back and let it predict: what is measured is what was saved."""
    settings = settings_from_json(spec["settings"])
    roles = msgspec.convert(spec["roles"], Roles)
    signature = from_json(spec["signature"])
    root, package = Path(spec["root"]), Path(spec["package"])
    rows = pl.read_ipc(spec["train"])
    _seed(settings.seed)
    fitted = fit_logged(rows, roles=roles, signature=signature, settings=settings, root=root)
    signature = as_the_model_says(signature, fitted.model)
    write_package(fitted.model, package, signature=signature, example=rows, code_root=root)
    read = read_package(package)
    if spec["test"] is None:
        predict(read, rows.head(_TRIAL_ROWS))
    else:
        test = pl.read_ipc(spec["test"])
        predict(read, test).to_frame().write_parquet(spec["predictions"])
        compile_package(package, read, test)
    return {
        "params": fitted.params,
        "metrics": {key: value for key, value in fitted.metrics.items() if value == value},  # noqa: PLR0124 - JSON has no NaN
        "rows": fitted.rows,
        "dropped": fitted.dropped,
    }


def answer(spec: Json) -> Json:
    """Let a package predict; its code comes from the package alone."""
    known = spec["signature"]
    package = read_package(Path(spec["package"]), signature=None if known is None else from_json(known))
    said: Predictions = predict(package, pl.read_ipc(spec["frame"]))
    said.to_frame().write_parquet(spec["predictions"])
    return {}


_TASKS: dict[str, Callable[[Json], Json]] = {"train": train, "predict": answer}


def main(spec_file: str) -> None:
    """Do what the spec says and write `{"ok": ...}` or `{"error": ...}`; then end at once, whatever threads user code left behind."""
    spec: Json = json.loads(Path(spec_file).read_text(encoding="utf-8"))
    _end_with(spec["parent"])
    _offer_to_the_oom_killer()
    try:
        said: Json = {"ok": _TASKS[spec["task"]](spec)}
    except HomeostatError as error:
        said = {"error": {"code": error.code, "message": error.message, "hint": error.hint}}
        if blame(
            error.__cause__ or error, Path(spec["root"])
        ):  # else the message says it all: our own frames are noise
            _show(error)
    except BaseException as error:  # noqa: BLE001 - border: the job runs the user's code
        said = {"error": {"code": "raised", "message": told(error, Path(spec["root"])), "hint": None}}
        _show(error)
    fresh = Path(spec["answer"] + ".new")
    fresh.write_text(json.dumps(said), encoding="utf-8")
    fresh.replace(spec["answer"])
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0 if "ok" in said else 1)


def _show(error: BaseException) -> None:
    """Put the traceback into the log of the run."""
    import traceback

    cause = error.__cause__ or error
    traceback.print_exception(cause, file=sys.stderr)


def _seed(seed: int) -> None:
    """Seed the global generators that user code may draw from; this process is its own."""
    import numpy as np

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - exactly the legacy generator is meant


def _end_with(parent: int) -> None:
    """End this process group when the process that started it has died, so that no training runs on unseen."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


def _offer_to_the_oom_killer() -> None:
    """When the machine itself runs out of memory, this process shall go before the server does."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1])
