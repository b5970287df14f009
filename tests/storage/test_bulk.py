"""Lines that hold many rows, against the same rows taken apart one by one."""

import json
from math import isnan

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from homeostat.core.bulk import Bulk
from homeostat.storage.bulk import apart, frame_of
from homeostat.storage.record_rows import kept_schema_of

SCHEMA = kept_schema_of("predictions")
NUMBERS = st.floats(allow_nan=False, allow_infinity=False) | st.just(float("nan"))
PLAIN = st.none() | st.integers(-(2**53), 2**53) | st.text() | st.booleans()


@st.composite
def bulks(draw) -> Bulk:
    rows = draw(st.integers(1, 4))
    columns = draw(st.lists(st.text(min_size=1), max_size=3, unique=True))

    def each(values):
        return draw(st.none() | st.lists(values, min_size=rows, max_size=rows))

    told = draw(st.sampled_from(["numbers", "values", "nothing"]))
    matrix = draw(st.lists(NUMBERS, min_size=rows * len(columns), max_size=rows * len(columns)))
    classes = draw(st.sampled_from([0, 2]))
    of_several = draw(st.booleans())
    return Bulk(
        bulk=rows,
        common={
            "request_id": "r",
            "row": draw(st.integers(0, 9)),
            "received": 1_000_000,
            "version": 1,
            "seq": 7,
            "key": "k",
            "prediction": "0",
        },
        columns=columns if told != "nothing" else (),
        numbers=np.array(matrix, dtype=np.float64).tobytes() if told == "numbers" else None,
        values=[draw(st.tuples(*[PLAIN] * len(columns))) for _ in range(rows)] if told == "values" else None,
        predictions=each(PLAIN.filter(lambda value: value is not None)),
        scores=np.arange(rows * classes, dtype=np.float64).tobytes() if classes else None,
        keys=each(st.none() | st.text()),
        event_times=each(st.none() | st.integers(0, 10**15)),
        request_ids=[f"q{n}" for n in range(rows)] if of_several else None,
        rows=[3] * rows if of_several else None,
    )


def plainly(one: Bulk) -> list[dict]:
    """Return the rows as the format's own words say."""
    width, found = len(one.columns), []
    for n in range(one.bulk):
        row = {
            **one.common,
            "row": one.common["row"] + n,
            "seq": one.common["seq"] + n,
            "features": None,
            "scores": None,
        }
        if one.numbers is not None:
            numbers = np.frombuffer(one.numbers).tolist()[n * width : (n + 1) * width]
            row["features"] = dict(zip(one.columns, [None if isnan(x) else x for x in numbers], strict=True))
        if one.values is not None:
            row["features"] = dict(zip(one.columns, one.values[n], strict=True))
        if one.scores is not None:
            row["scores"] = np.frombuffer(one.scores).reshape(one.bulk, -1)[n].tolist()
        own = {
            "prediction": one.predictions,
            "key": one.keys,
            "event_time": one.event_times,
            "request_id": one.request_ids,
            "row": one.rows,
        }
        row |= {name: values[n] for name, values in own.items() if values is not None}
        if one.predictions is not None:
            row["prediction"] = json.dumps(one.predictions[n], ensure_ascii=False)
        found.append(row)
    return found


def line_of(one: Bulk) -> bytes:
    return msgspec.json.encode(one)


@given(st.lists(bulks(), min_size=1, max_size=4))
def test_rows_are_what_the_lines_say(lines):
    wire = {name: SCHEMA["seq"] if name in ("received", "event_time") else kind for name, kind in SCHEMA.items()}
    found = frame_of(map(line_of, lines), wire)
    assert dict(found.schema) == wire
    wanted = [{name: row.get(name) for name in SCHEMA} for one in lines for row in plainly(one)]
    told = found.to_dicts()
    for row in told:
        row["features"] = None if row["features"] is None else json.loads(row["features"])
    assert sorted(map(repr, told)) == sorted(map(repr, wanted))


def test_lines_of_one_row_are_left_as_they_are():
    one, many, other = b'{"row":1}\n', b'{"bulk":2,"common":{}}\n', b'{"row":2}\n'
    assert apart([one]) == (one, [])
    assert apart([many]) == (b"", [many])
    assert apart([one + many + other, many + many, other]) == (one + other + other, [many] * 3)
    quoted = b'{"features":"{\\"bulk\\":1}"}\n'
    assert apart([quoted]) == (quoted, [])
