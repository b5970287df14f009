"""A desk on an empty store, and a client that speaks to the ASGI application in this process."""

import asyncio
import json
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlencode

from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store
from homeostat.web.mlflow_api.app import MlflowApi
from homeostat.web.mlflow_api.endpoint import Desk

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
MLFLOW = "/api/2.0/mlflow/"


class FixedClock:
    def now(self):
        return NOW


class Client:
    def __init__(self, desk, **options):
        self.desk = desk
        self.api = MlflowApi(desk, **options)
        self.loop = asyncio.new_event_loop()

    def send(self, method, path, *, body=b"", query="", headers=None):
        """Return (status, headers, body)."""
        given = {"content-type": "application/json"} if body and headers is None else headers or {}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        }
        parts = [{"type": "http.request", "body": body, "more_body": False}]
        sent = []

        async def receive():
            if not parts:
                await asyncio.Event().wait()  # a client that stays
            return parts.pop(0)

        async def send(message):
            sent.append(message)

        self.loop.run_until_complete(self.api(scope, receive, send))
        start, *rest = sent
        return start["status"], dict(start["headers"]), b"".join(message.get("body", b"") for message in rest)

    def ask(self, method, path, /, *, expect=200, **fields):
        """Send fields as the client does (query of a GET, else JSON) and return the answer's JSON; check the status."""
        if method == "GET":
            answer = self.send(method, MLFLOW + path, query=urlencode(fields, doseq=True))
        else:
            answer = self.send(method, MLFLOW + path, body=json.dumps(fields).encode())
        assert answer[0] == expect, answer[2]
        return json.loads(answer[2])

    def get(self, path, /, **fields):
        return self.ask("GET", path, **fields)

    def post(self, path, /, **fields):
        return self.ask("POST", path, **fields)

    def refused(self, path, /, *, method="POST", expect=400, **fields):
        """Return (error_code, message) of an answer that refuses."""
        body = self.ask(method, path, expect=expect, **fields)
        return body["error_code"], body["message"]


@contextmanager
def open_client(folder, store=None, **options):
    opened = store or open_memory_store()
    desk = Desk(store=opened, blobs=LocalBlobs(folder / "blobs"), clock=FixedClock(), actor="ada")
    client = Client(desk, **options)
    yield client
    client.api.close()
    client.loop.close()
    opened.close()
