"""A server of two models for the tests of protocols: one of mixed columns, one of numbers."""

import json

import httpx
import numpy as np
import pandas as pd

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package

NUMBERS = Signature(
    task=Task.REGRESSION,
    columns=tuple(Column(name=name, kind=Kind.FLOAT, nullable=name == "c") for name in "abc"),
    target="y",
)


class Sum:
    def predict(self, frame):
        return np.clip(np.nan_to_num(frame.to_numpy()), -1e307, 1e307).sum(axis=1)  # finite whatever it is asked


class City:
    """Likely "yes" in Ulm, by x elsewhere."""

    def predict_proba(self, frame):
        p = np.clip(frame["x"].to_numpy() + (frame["city"] == "Ulm").to_numpy(), 0, 1)
        return np.column_stack([1 - p, p])

    def predict(self, frame):
        return np.where(self.predict_proba(frame)[:, 1] > 0.5, "yes", "no")


ROWS = {
    "late": pd.DataFrame({"x": [0.0, 0.5], "city": ["Bonn", "Ulm"]}, dtype=object).astype({"x": float}),
    "sum": pd.DataFrame({"a": [1.0, 3.0], "b": [0.0, 0.0], "c": [2.0, np.nan]}),
}


class Both:
    def __init__(self, folder, *, late=None, explainers=None):
        self.records = FileRecords(folder, writer_id="w")
        packages = {
            "late": Package(model=late or City(), signature=fakes.BINARY),
            "sum": Package(model=Sum(), signature=NUMBERS),
        }
        self.engine = fakes.EngineInThread(
            lambda model, _version: packages[model],
            self.records,
            fakes.FixedClock(),
            settings=ServeSettings(max_body="1MB", max_rows=5000),
            desk={
                "default_model": "late",
                "explainers": explainers or fakes.ExplainsHere(lambda model, _: (packages[model], ROWS[model])),
            },
            max_rows=5000,
        )
        for name in packages:
            self.engine.switch(Route(model=name, generation=1, champion=3))
        self.url = f"http://127.0.0.1:{self.engine.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)

    def post(self, path, body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(path, content=content, headers={"content-type": "application/json", **given})

    def get(self, path):
        return self.client.get(path)

    def recorded(self, model="late"):
        return self.records.read("predictions", model).height

    def close(self):
        self.client.close()
        assert self.engine.close(10)
        self.records.close()
