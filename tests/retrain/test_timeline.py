from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat.core.duration import Duration
from homeostat.core.errors import InvalidInput, NotEnoughData, NotFound
from homeostat.data.settings import DataSettings
from homeostat.retrain.timeline import KNOWN_AT, timeline

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def frame(n: int, *, step=HOUR) -> pl.DataFrame:
    return pl.DataFrame({"at": [START + i * step for i in range(n)], "x": range(n), "y": [i % 2 for i in range(n)]})


def data(*, delay: str = "0s", time: str | None = "at") -> DataSettings:
    return DataSettings(source="s", target="y", time=time, label_delay=Duration.parse(delay))


@settings(deadline=None)
@given(
    gaps=st.lists(st.integers(0, 50), min_size=30, max_size=80),
    history=st.integers(1, 15),
    step=st.one_of(st.integers(1, 20), st.integers(1, 100).map(lambda h: timedelta(hours=h))),
    delay=st.integers(0, 100),
)
def test_every_row_is_replayed_once_and_its_label_is_never_known_in_its_own_past(gaps, history, step, delay):
    times = [START + timedelta(hours=int(h)) for h in np.cumsum(gaps)]
    rows = pl.DataFrame({"at": times, "y": [0] * len(times)})
    try:
        line = timeline(rows, data=data(delay=f"{delay}h"), history=history, step=step)
    except NotEnoughData:
        return
    assert line.steps[0].first == history
    assert line.steps[-1].last == len(times)
    for one, two in zip(line.steps, line.steps[1:], strict=False):
        assert one.last == two.first
        assert one.end <= two.start
        assert line.frame["at"][two.first] >= one.end
    for one in line.steps:
        inside = line.rows(one)["at"]
        assert one.start <= inside.min()
        assert inside.max() < one.end
        known = line.known(one.end)
        assert (known["at"] + timedelta(hours=delay) < one.end).all()
        assert known.height == (line.frame["at"] + timedelta(hours=delay) < one.end).sum()
        assert line.known_in(one, one.end).sum() <= one.rows


def test_history_is_a_sixth_of_the_time_and_at_least_500_rows():
    assert timeline(frame(6000), data=data(), step=100).steps[0].first == pytest.approx(1000, abs=1)
    assert timeline(frame(1200), data=data(), step=100).steps[0].first == 500


def test_a_label_is_known_only_after_its_delay():
    line = timeline(frame(1000), data=data(delay="10h"), history=500, step=100)
    assert line.known(START + 500 * HOUR).height == 490
    assert line.newly_known(START + 500 * HOUR, START + 600 * HOUR) == 100


def test_empty_steps_are_left_out_and_time_goes_on():
    gap = frame(1000).filter((pl.col("x") < 600) | (pl.col("x") > 800))
    line = timeline(gap, data=data(), history=500, step=50 * HOUR)
    assert sum(step.rows for step in line.steps) == gap.height - 500
    assert max(b.start - a.end for a, b in zip(line.steps, line.steps[1:], strict=False)) == 200 * HOUR


def test_rows_without_a_time_column_go_in_their_order():
    line = timeline(frame(1000).drop("at"), data=data(time=None), history=600, step=100, step_time=timedelta(days=7))
    assert [step.rows for step in line.steps] == [100, 100, 100, 100]
    assert line.steps[1].end - line.steps[1].start == timedelta(days=7)
    assert line.frame["x"].to_list() == list(range(1000))


def test_rows_out_of_order_are_sorted_and_rows_without_a_time_left_out():
    shuffled = frame(1000).sample(1000, shuffle=True, seed=1)
    shuffled = shuffled.with_columns(at=pl.when(pl.col("x") == 3).then(None).otherwise(pl.col("at")))
    line = timeline(shuffled, data=data(), history=500, step=100)
    assert line.frame["x"].to_list() == [i for i in range(1000) if i != 3]
    assert line.frame[KNOWN_AT].is_sorted()


@pytest.mark.parametrize(
    ("rows", "given", "error", "match"),
    [
        (frame(1000), {"history": 1000}, NotEnoughData, "nothing is left to replay"),
        (frame(300), {}, NotEnoughData, "300 rows are all history"),
        (frame(10).clear(), {}, NotEnoughData, "no rows"),
        (frame(1000), {"history": 990, "step": 100}, NotEnoughData, "make 1 step"),
        (frame(1000), {"step": 0}, InvalidInput, "must be positive"),
        (frame(1000), {"history": -HOUR}, InvalidInput, "must be positive"),
        (
            frame(1000, step=timedelta(days=30)),
            {"history": 500, "step": timedelta(seconds=1)},
            InvalidInput,
            "more than 100,000 steps",
        ),
        (frame(1000, step=timedelta()), {"history": 500}, NotEnoughData, "same time"),
        (frame(1000).drop("y"), {}, InvalidInput, "no target column 'y'"),
        (frame(1000).drop("at"), {}, InvalidInput, "no time column 'at'"),
        (frame(1000).with_columns(at="x"), {}, InvalidInput, "not a time"),
    ],
)
def test_what_cannot_be_replayed_is_refused(rows, given, error, match):
    with pytest.raises((error, NotFound), match=match):
        timeline(rows, data=data(), **given)


def test_a_length_in_time_needs_a_time_column():
    with pytest.raises(InvalidInput, match="no time column"):
        timeline(frame(1000).drop("at"), data=data(time=None), step=HOUR)
