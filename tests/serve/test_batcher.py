import asyncio

import numpy as np

from homeostat.serve.batcher import QueueBatcher
from homeostat.serve.evaluator import ModelError
from homeostat.serve.table import Table
from homeostat.testing import serving as fakes
from homeostat.track.predictions import Predictions


class Breaks:
    """Answers, but breaks where it is not foreseen: over what it refuses to look at, and what it cannot put into words."""

    kind = "thread"
    is_half_open = False

    def down(self):
        return None

    def refused(self, table):
        if table.rows()[0][1] == "looked at":
            raise OverflowError("cannot be framed")

    async def evaluate(self, table):
        await asyncio.sleep(0)
        if any(city == "asked" for _, city in table.rows()):
            raise ValueError("no frame")
        return Predictions(labels=np.array(["yes"] * table.height), scores=None, classes=())


def _table(city):
    return Table.of_rows(fakes.BINARY.columns, [(0.5, city)])


def test_what_breaks_our_own_code_ends_its_own_request_only():
    async def ask():
        batcher = QueueBatcher(Breaks(), queue=10, timeout_s=5)
        cities = ["Ulm", "asked", "Bonn", "looked at", "Ulm"]
        futures = [batcher.ask(_table(city)) for city in cities]
        async with asyncio.timeout(5):
            return await asyncio.gather(*futures, batcher.ask(_table("Ulm")), return_exceptions=True)

    said = asyncio.run(ask())
    assert [type(one).__name__ for one in said] == [
        "Evaluated",
        "ModelError",
        "Evaluated",
        "ModelError",
        "Evaluated",
        "Evaluated",
    ]
    assert isinstance(said[1], ModelError)
    assert [said[1].kind, said[3].kind] == ["ValueError", "OverflowError"]
