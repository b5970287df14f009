"""A record that fills day by day, and looks at it."""

from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
from tests.watch.cases import answers, reference, rows, truth

from homeostat.serve.table import Table
from homeostat.storage.records import FileRecords
from homeostat.storage.sql.store import open_memory_store
from homeostat.watch.look import look
from homeostat.watch.settings import WatchSettings

T0 = datetime(2013, 1, 7, tzinfo=UTC)
DAY = timedelta(days=1)
MODEL = "churn"
REFERENCE = reference()


class World:
    """A record that fills day by day, and a look at it."""

    def __init__(self, root) -> None:
        self.records = FileRecords(root, writer_id="w")
        self.store = open_memory_store()
        self.ids = count()

    def day(self, number: int, *, n: int = 300, spread: timedelta = DAY, version: int = 1, **options) -> list[dict]:
        """Record the answers of one day; options are `shift` of the inputs and columns of the record."""
        frame = rows(n, 50 + number, shift=options.pop("shift", 0.0))
        predictions = answers(frame)
        times = [T0 + number * DAY + i * spread / n for i in range(n)]
        written = [
            {
                "model": MODEL,
                "request_id": f"r{next(self.ids)}",
                "row": 0,
                "received": time,
                "version": version,
                "route": "champion",
                "status": "ok",
                "latency_ms": 1.0,
                "features": text,
                "prediction": label,
                "scores": scores,
                "truth": str(happened),
            }
            | options
            for time, text, label, scores, happened in zip(
                times,
                Table.of_rows(REFERENCE.signature.columns, frame.rows()).texts(),
                predictions.labels.tolist(),
                predictions.scores.tolist(),
                truth(frame, 50 + number),
                strict=True,
            )
        ]
        self.records.write("predictions", [{k: v for k, v in row.items() if k != "truth"} for row in written])
        return written

    def label(self, answered: list[dict], received: datetime, *, flip: float = 0.0) -> None:
        rng = np.random.default_rng(0)
        other = {"yes": "no", "no": "yes"}
        values = [other[row["truth"]] if rng.random() < flip else row["truth"] for row in answered]
        self.records.write(
            "labels",
            [
                {"model": MODEL, "request_id": row["request_id"], "row": 0, "value": value, "received": received}
                | {"label_id": f"l{next(self.ids)}"}
                for row, value in zip(answered, values, strict=True)
            ],
        )

    def look(self, now: datetime, **options):
        given = {"reference": REFERENCE, "settings": WatchSettings(), "model": MODEL}
        return look(store=self.store, records=self.records, now=now, **given | options)

    def events(self) -> list[str]:
        with self.store.read() as tx:
            return [event.kind for event in tx.audit.events()]

    def verdicts(self):
        with self.store.read() as tx:
            return tx.watch.verdicts(MODEL)
