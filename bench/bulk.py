"""10,000 rows in one request, as JSON and as an Arrow stream: `bulk.py [--rows N] [--rounds N]`.

scikit-learn's histogram gradient boosting on breast_cancer (30 features) behind the whole server, its record on a disk, each request as a
client sees it: from building the body to having the answer's values. `model` is the floor: the same model asked in this process, no door.
Ratios are to JSON in the same run. Exit code 1 where Arrow is not at least as fast.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve.arrow import STREAM
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package


def package() -> tuple[Package, np.ndarray]:
    import pandas as pd

    found = load_breast_cancer()
    names = [str(name).replace(" ", "_") for name in found.feature_names]
    frame = pd.DataFrame(found.data, columns=names)
    model = HistGradientBoostingClassifier(random_state=0).fit(frame, found.target)
    columns = tuple(Column(name=name, kind=Kind.FLOAT) for name in names)
    signature = Signature(task=Task.BINARY, columns=columns, target="y", classes=(0, 1))
    return Package(model=model, signature=signature), found.data


def ask(connection: http.client.HTTPConnection, body: bytes, kind: str) -> bytes:
    connection.request("POST", "/models/bulk/predict", body, {"Content-Type": kind})
    answer = connection.getresponse()
    found = answer.read()
    if answer.status != 200:
        sys.exit(found[:500].decode(errors="replace"))
    return found


def as_json(connection: http.client.HTTPConnection, names: list[str], values: np.ndarray) -> list[float]:
    body = json.dumps({"rows": [dict(zip(names, row, strict=True)) for row in values.tolist()]}).encode()
    answer = json.loads(ask(connection, body, "application/json"))
    return [row["probabilities"]["1"] for row in answer["predictions"]]


def as_arrow(connection: http.client.HTTPConnection, names: list[str], values: np.ndarray) -> list[float]:
    batch = pa.record_batch([pa.array(np.ascontiguousarray(column)) for column in values.T], names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    answer = ask(connection, sink.getvalue().to_pybytes(), STREAM)
    with pa.ipc.open_stream(answer) as reader:
        return reader.read_all()["score_1"].to_pylist()


def timed(work: Callable[[], object], rounds: int) -> float:
    work()
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        took.append(time.perf_counter() - start)
    return median(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    served, data = package()
    values = data[np.arange(options.rows) % len(data)] * 1.01
    names = list(served.signature.names)
    with tempfile.TemporaryDirectory() as folder:
        records = FileRecords(Path(folder), writer_id="w")
        engine = fakes.EngineInThread(
            lambda _model, _version: served,
            records,
            fakes.FixedClock(),
            settings=ServeSettings(max_body="1GB", max_rows=options.rows),
            max_rows=options.rows,
        )
        engine.switch(Route(model="bulk", generation=1, champion=1))
        connection = http.client.HTTPConnection("127.0.0.1", engine.port, timeout=120)
        if as_json(connection, names, values) != as_arrow(connection, names, values):
            sys.exit("the two doors do not answer the same")
        import pandas as pd

        frame = pd.DataFrame(values, columns=names)
        found = {
            "json": timed(lambda: as_json(connection, names, values), options.rounds),
            "arrow": timed(lambda: as_arrow(connection, names, values), options.rounds),
            "model": timed(lambda: served.model.predict_proba(frame), options.rounds),
        }
        connection.close()
        engine.close(10)
    for name, seconds in found.items():
        print(
            f"{name:6} {seconds * 1e3:8.1f} ms {options.rows / seconds:12,.0f} rows/s   {found['json'] / seconds:5.2f} x JSON",
            file=sys.stderr,
        )
    ratio = found["json"] / found["arrow"]
    print(json.dumps({"bench": "bulk", "rows": options.rows, "seconds": found, "arrow_over_json": round(ratio, 3)}))
    return 0 if ratio >= 1 else 1


if __name__ == "__main__":
    sys.exit(main())
