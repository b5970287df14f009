"""The tracking API on real HTTP, in a thread of this process."""

import threading
from contextlib import contextmanager
from datetime import UTC, datetime

from homeostat.serve.worker import run_worker
from homeostat.storage.blobs import LocalBlobs
from homeostat.web.mlflow_api.app import MlflowApi
from homeostat.web.mlflow_api.endpoint import Desk
from homeostat.web.safety import Safety, middleware_options


class Clock:
    def now(self):
        return datetime.now(UTC)


@contextmanager
def client_of(store, folder, *, experiment):
    """Yield a client of a server with this store; scripts log to the experiment meanwhile."""
    import mlflow

    with open_door(store=store, blobs=LocalBlobs(folder / "blobs"), clock=Clock()) as address:
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(address)
        mlflow.set_experiment(experiment)
        yield mlflow.MlflowClient()
        mlflow.set_tracking_uri(before)


@contextmanager
def open_door(*, store, blobs, clock, actor="ann", house=None):
    """Yield the address that clients are given."""
    api = MlflowApi(Desk(store=store, blobs=blobs, clock=clock, actor=actor, house=house))
    stop, ready, ports = threading.Event(), threading.Event(), []

    def on_ready(port):
        ports.append(port)
        ready.set()

    def serve():
        run_worker(
            Safety(api, **middleware_options("127.0.0.1")), host="127.0.0.1", port=0, stop=stop, on_ready=on_ready
        )

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        stop.set()
        thread.join(30)
        api.close()
