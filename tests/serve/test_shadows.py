from tests.serve.planes import SHADOW, recorded, waiting_for

from homeostat.core.records.routes import Route
from homeostat.serve.exposition import exposition
from homeostat.testing import serving as fakes


def test_the_shadow_s_answers_are_only_logged(plane_of, records):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Says(0.75)}, SHADOW)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1
    assert plane.flush(10)
    assert recorded(records, "version", "route", "prediction") == [(1, "champion", "no"), (2, "shadow", "yes")]


def test_the_client_does_not_wait_for_a_shadow(plane_of, records):
    slow = fakes.Hangs()
    plane = plane_of({1: fakes.Says(0.25), 2: slow}, SHADOW)
    slow.go.clear()
    for number in range(3):
        assert plane.answer("m", [fakes.ROW], request_id=f"r{number}").version == 1
    assert not plane.flush(0.01)
    slow.go.set()
    assert plane.flush(10)
    assert [row for row in recorded(records, "route") if row == ("shadow",)] == [("shadow",)] * 3


def test_shadows_that_pile_up_are_left_out_and_counted(plane_of):
    slow = fakes.Hangs()
    plane = plane_of({1: fakes.Says(0.25), 2: slow}, SHADOW, max_shadow_rows=4)
    slow.go.clear()
    for number in range(6):
        plane.answer("m", [fakes.ROW] * 2, request_id=f"r{number}")
    slow.go.set()
    assert plane.flush(10)
    assert 'homeostat_shadows_dropped_total{model="m"} 4.0' in exposition(plane.metrics.counts).decode()


def test_a_shadow_that_was_taken_out_still_answers_what_was_asked_before(plane_of, records):
    late = fakes.Hangs(0.25)
    plane = plane_of({1: late, 2: fakes.Says(0.75), 3: fakes.Says(0.5)}, SHADOW)
    client, answers = waiting_for(plane, late)
    plane.switch(Route(model="m", generation=3, champion=3))
    late.go.set()
    client.join(10)
    assert plane.flush(10)
    assert answers[0].version == 1
    assert recorded(records, "version", "route", "status") == [(1, "champion", "ok"), (2, "shadow", "ok")]
