"""The tracking server and registry alone, in one process: `python -m homeostat.web.tracking --database URL --artifacts FOLDER`."""

import argparse
import gc
import os

from homeostat.app.clock import SystemClock
from homeostat.app.logs import log_to_stderr
from homeostat.app.webhooks import Deliverer
from homeostat.app.wiring import open_tracking, whoami
from homeostat.serve.worker import run_worker
from homeostat.web.mlflow_api.app import MlflowApi
from homeostat.web.mlflow_api.endpoint import Desk
from homeostat.web.safety import Safety, middleware_options

_YOUNG = 50_000


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    gc.disable()  # while modules are loaded hardly anything becomes garbage, and looking for it takes a tenth of the start
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5000)
    parser.add_argument("--database", required=True)
    parser.add_argument("--artifacts", required=True)
    options = parser.parse_args()
    log_to_stderr()
    store, blobs = open_tracking(options.database, options.artifacts)
    api = MlflowApi(Desk(store=store, blobs=blobs, clock=SystemClock(), actor=whoami()))
    Deliverer(store, SystemClock()).start()
    # what is there now stays: the collector need not look at it again and again while large answers are built
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
    gc.enable()
    run_worker(Safety(api, **middleware_options(options.host)), host=options.host, port=options.port)
    os._exit(0)  # a handler that hangs in a thread must not keep the port


if __name__ == "__main__":
    main()
