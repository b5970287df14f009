"""A server over a socket with its record, and a client of it."""

import json

import httpx

from homeostat.core.records.routes import Route
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes

CHAMPION = Route(model="late", generation=1, champion=1)
CANARY = Route(model="late", generation=2, champion=1, canary=2, canary_percent=100.0)


PREDICT = "/models/late/predict"
LABELS = "/models/late/labels"


class Client:
    """Asks the server over a socket."""

    def __init__(self, port):
        self.port = port

    def request(self, method, path, *, host="127.0.0.1:8700", headers=(), content=None, **options):
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}") as client:
            return client.request(method, path, headers={"host": host, **dict(headers)}, content=content, **options)

    def post(self, path, body=None, **options):
        content = options.pop("content", None)
        return self.request("POST", path, content=json.dumps(body) if content is None else content, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)


class House:
    def __init__(self, folder, models, route=CHAMPION, *, signature=fakes.BINARY, extra_health=dict, **settings):
        self.clock = fakes.FixedClock()
        self.records = FileRecords(folder, writer_id="w")
        self.settings = ServeSettings(**{"max_rows": 50, "max_body": "10KB", **settings})
        ids = iter(range(10**6))
        self.plane = fakes.EngineInThread(
            fakes.Versions(models, signature),
            self.records,
            self.clock,
            settings=self.settings,
            desk={"extra_health": extra_health, "new_id": lambda: f"id{next(ids)}"},
            key_column="customer",
            max_rows=self.settings.max_rows,
        )
        if route is not None:
            self.plane.switch(route)
        self.client = Client(self.plane.port)

    def predictions(self):
        return self.records.read("predictions", "late")

    def labels(self, *columns):
        return self.records.read("labels", "late").select(columns).rows()

    def close(self):
        assert self.plane.close(10)
        self.records.close()


def error_of(response, status, code):
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert error["code"] == code
    assert error["message"]
    return error
