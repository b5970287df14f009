"""What the short way records of requests that were answered together is what it would record of each."""

from copy import copy
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from homeostat.core.bulk import Bulk
from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.records.routes import Route
from homeostat.serve import taken
from homeostat.serve.decoder import Asked, Decoder
from homeostat.serve.lane import Lane
from homeostat.serve.manner import Batch
from homeostat.serve.record import count, lines, number
from homeostat.serve.recording import Recording
from homeostat.serve.table import TALL, Table
from homeostat.serve.taken import Taken, rows_of
from homeostat.serve.tracing import Trail
from homeostat.serve.validate import Rows
from homeostat.storage.records import FileRecords
from homeostat.testing.serving import NOW
from homeostat.track.predictions import Predictions

FLOATS = (Column(name="a", kind=Kind.FLOAT), Column(name="b", kind=Kind.FLOAT))
MIXED = (Column(name="a", kind=Kind.FLOAT), Column(name="city", kind=Kind.CATEGORY))
RECORDINGS = [Recording(), Recording(share=0.5), Recording(drop=["a"], hashes=["city", "key"], secret=b"s")]


@st.composite
def _answered(draw):
    """Return a lane and requests of several sizes, of one batch as a compiled model answers them, or each of its own."""
    columns = draw(st.sampled_from([FLOATS, MIXED]))
    signature = Signature(task=Task.BINARY, columns=columns, target="y", classes=("no", "yes"))
    route = Route(model="m", generation=1, champion=3, since=NOW)
    lane = Lane(
        route=route,
        version=3,
        decoder=Decoder(signature),
        model=None,
        loaded=None,
        names=("no", "yes"),
        words={"no": '"no"', "yes": '"yes"'},
    )
    sizes = draw(st.lists(st.sampled_from([1, 1, 2, 3, TALL + 1]), min_size=1, max_size=14))
    whole, total = draw(st.booleans()), sum(sizes)
    second = [None, "Ulm"] if columns is MIXED else [None, 0.5]
    values = [(draw(st.none() | st.floats(-9, 9)), draw(st.sampled_from(second))) for _ in range(total)]
    labels = np.array(draw(st.lists(st.sampled_from(["no", "yes"]), min_size=total, max_size=total)))
    answer = Predictions(labels=labels, scores=np.linspace(0, 1, 2 * total).reshape(total, 2), classes=("no", "yes"))
    one = Batch.of(answer, start=5.0, seconds=0.25, height=total)
    one.table = Table.of_rows(columns, values)
    requests, at = [], 0
    for place, size in enumerate(sizes):
        rows = slice(at, at + size)
        mine = Predictions(labels=labels[rows], scores=answer.scores[rows], classes=answer.classes)
        # two batches of a process may be answered in one turn
        start = 5.0 if draw(st.integers(0, 9)) else 6.0
        own = Batch.of(mine, start=start, seconds=0.25, height=total)
        asked = Asked(
            rows=Rows(
                table=Table.of_rows(columns, values[rows]),
                keys=[draw(st.sampled_from([None, None, "k"])) for _ in range(size)],
                times=[draw(st.sampled_from([None, None, NOW])) for _ in range(size)],
            ),
            key=draw(st.sampled_from([None, None, "all"])),
        )
        trail = (
            None
            if draw(st.integers(0, 9))
            else Trail(
                model="m", request_id="r", rows=size, start=0.0, trace_id="0a" * 16, span_id="0b" * 8, parent_id=None
            )
        )
        request = Taken(
            None,
            None,
            None,
            asked,
            None,
            f"r{place}",
            None,
            0.0,
            trail,
            one if whole else own,
            rows if whole else slice(0, size),
        )
        requests.append(request)
        at += size
    return lane, requests


def _read(folder, lane, requests, recording):
    records = FileRecords(folder, writer_id="w")
    rows = rows_of(lane, requests, recording, received=datetime(2024, 1, 1, tzinfo=UTC))
    number(rows, 1_000)
    if rows:
        records.submit("m", lines(rows), lambda error: None)
    records.close()
    return rows, records.read("predictions", "m")


@settings(max_examples=150, deadline=None)
@given(_answered(), st.sampled_from(RECORDINGS))
def test_what_is_recorded_together_reads_as_what_is_recorded_of_each(tmp_path_factory, answered, recording):
    lane, requests = answered
    rows, together = _read(tmp_path_factory.mktemp("one"), lane, copy(requests), recording)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(taken, "TALL", 1_000)
        alone, each = _read(tmp_path_factory.mktemp("each"), lane, requests, recording)
    assert count(rows) == count(alone) == together.height
    assert_frame_equal(*(frame.sort("request_id", "row") for frame in (together, each)))
    assert not any(isinstance(row, Bulk) for row in alone)


def test_small_requests_of_one_batch_are_one_line():
    signature = Signature(task=Task.REGRESSION, columns=FLOATS, target="y")
    route = Route(model="m", generation=1, champion=3, since=NOW)
    lane = Lane(route=route, version=3, decoder=Decoder(signature), model=None, loaded=None, names=(), words={})
    batch = Batch.of(Predictions(labels=np.arange(32.0)), start=1.0, seconds=0.1, height=32)
    requests = []
    for at in range(32):
        asked = Asked(rows=Rows(table=Table.of_rows(FLOATS, [(at, 1.0)]), keys=[None], times=[None]))
        requests.append(Taken(None, None, None, asked, None, f"r{at}", None, 0.0, None, batch, slice(at, at + 1)))
    rows = rows_of(lane, requests, Recording(), received=NOW)
    assert [row.bulk for row in rows] == [32]
    assert len(lines(rows)) < 32 * 60
