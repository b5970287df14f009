"""A server in a process of its own, whose memory can be watched: `big_server.py FOLDER MAX_ROWS MAX_BODY`; prints its port, ends with its input."""

import sys
from pathlib import Path

import numpy as np
from tests.serve.protocols.serving_both import NUMBERS

from homeostat.core.records.routes import Route
from homeostat.serve.settings import ServeSettings
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.track.predictions import Predictions


class Compiled:
    """Adds up, as compiled models answer."""

    kind = "compiled"
    signature = NUMBERS

    def answer(self, table):
        return Predictions(labels=np.nan_to_num(table.matrix()).sum(axis=1))


def main(folder, max_rows, max_body):
    engine = fakes.EngineInThread(
        lambda *_: Compiled(),
        FileRecords(Path(folder), writer_id="w"),
        fakes.FixedClock(),
        settings=ServeSettings(max_rows=int(max_rows), max_body=max_body),
        desk={"default_model": "sum"},
        max_rows=int(max_rows),
    )
    engine.switch(Route(model="sum", generation=1, champion=1))
    print(engine.port, flush=True)
    sys.stdin.read()
    engine.close(10)


if __name__ == "__main__":
    main(*sys.argv[1:])
