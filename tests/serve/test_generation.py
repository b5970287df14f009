from dataclasses import replace

import pytest
from tests.serve.planes import CANARY, CHAMPION, recorded

from homeostat.core.errors import Conflict, NotFound
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.testing import serving as fakes


def test_the_row_s_key_is_recorded_and_makes_the_canary_sticky(plane_of, records):
    half = replace(CANARY, canary_percent=50.0)
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Says(0.75)}, half, key_column="customer", time_column="when")
    versions = {}
    for number in range(60):
        key = f"c{number % 6}"
        row = {**fakes.ROW, "customer": key, "when": "2013-05-05T10:00:00Z"}
        answer = plane.answer("m", [row], request_id=f"r{number}")
        versions.setdefault(key, set()).add(answer.version)
    assert {len(found) for found in versions.values()} == {1}
    assert set.union(*versions.values()) == {1, 2}
    keys = records.read("predictions", "m")
    assert set(keys["key"]) == set(versions)
    assert {time.isoformat() for time in keys["event_time"]} == {"2013-05-05T10:00:00+00:00"}


def test_unknown_models_and_models_without_a_champion_say_so(plane_of):
    plane = plane_of({1: fakes.Says(0.25)}, Route(model="churn", generation=1, champion=None))
    with pytest.raises(NotFound) as caught:
        plane.answer("chrun", [fakes.ROW], request_id="r")
    assert caught.value.hint == "did you mean 'churn'?"
    for ask in (lambda: plane.answer("churn", [fakes.ROW], request_id="r"), lambda: plane.signature("churn")):
        with pytest.raises(Conflict, match="no champion"):
            ask()


def test_a_segment_answers_for_rows_that_agree_and_the_champion_for_requests_that_mix(plane_of):
    route = replace(CHAMPION, segments=(Segment(when={"city": "Ulm"}, version=2),))
    plane = plane_of({1: fakes.Says(0.75), 2: fakes.Says(0.25)}, route)
    ulm, other = fakes.ROW, {**fakes.ROW, "city": None}
    assert [plane.answer("m", rows, request_id="r").version for rows in ([ulm], [ulm, ulm], [ulm, other], [other])] == [
        2,
        2,
        1,
        1,
    ]


def test_a_split_is_sticky_by_key(plane_of, records):
    route = replace(CHAMPION, split=Split(shares={1: 0.0, 2: 100.0}))
    plane = plane_of({1: fakes.Says(0.75), 2: fakes.Says(0.25)}, route)
    assert {plane.answer("m", [fakes.ROW], request_id=str(n), key="anna").version for n in range(5)} == {2}
    assert set(recorded(records, "version", "route")) == {(2, "canary")}
