import threading
from dataclasses import replace

import numpy as np
import pytest

from homeostat.core.errors import Conflict, InvalidRows, NotFound, Unreachable
from homeostat.core.records.routes import Route, Segment, Split
from homeostat.serve.answer import PredictionFailed
from homeostat.serve.exposition import exposition
from homeostat.storage.records import FileRecords
from homeostat.testing import serving as fakes
from homeostat.train.package import Package

CHAMPION = Route(model="m", generation=1, champion=1)
CANARY = Route(model="m", generation=2, champion=1, canary=2, canary_percent=100.0)
CHAMPION_AGAIN = replace(CHAMPION, generation=3)
SHADOW = Route(model="m", generation=2, champion=1, shadow=2)


@pytest.fixture
def records(tmp_path):
    return FileRecords(tmp_path, writer_id="w")


@pytest.fixture
def plane_of(records):
    planes = []

    def make(models, route=CHAMPION, *, record=records, signature=fakes.BINARY, **options):
        load = models if callable(models) else fakes.Versions(models, signature)
        plane = fakes.PlaneInThread(load, record, fakes.FixedClock(), **options)
        planes.append(plane)
        if route is not None:
            plane.switch(route)
        return plane

    yield make
    for plane in planes:
        assert plane.close(10)
    records.close()


def recorded(records, *columns):
    return records.read("predictions", "m").select(columns).rows()


def test_the_champion_answers_and_the_answer_is_in_the_record(plane_of, records):
    plane = plane_of({1: fakes.Says(0.75)})
    answer = plane.answer("m", [fakes.ROW, {"x": 1, "city": None}], request_id="r1")
    assert (answer.request_id, answer.model, answer.version) == ("r1", "m", 1)
    assert answer.predictions.labels.tolist() == ["yes", "yes"]
    rows = records.read("predictions", "m")
    assert rows.select("request_id", "row", "version", "route", "status", "prediction").rows() == [
        ("r1", 0, 1, "champion", "ok", "yes"),
        ("r1", 1, 1, "champion", "ok", "yes"),
    ]
    assert rows["features"].to_list() == ['{"x":0.25,"city":"Ulm"}', '{"x":1.0,"city":null}']
    assert rows["scores"].to_list() == [[0.25, 0.75]] * 2
    assert rows["received"].to_list() == [fakes.NOW] * 2
    assert rows["latency_ms"].min() > 0


def test_the_answer_is_durable_before_it_is_given(plane_of):
    order = []

    class Watched(fakes.Forgets):
        def submit(self, model, lines, done):
            order.append("written")
            done(None)

    plane = plane_of({1: fakes.Says(0.5)}, record=Watched())
    plane.answer("m", [fakes.ROW], request_id="r")
    order.append("answered")
    assert order == ["written", "answered"]


def test_what_cannot_be_recorded_is_not_answered(plane_of):
    class Full(fakes.Forgets):
        def submit(self, model, lines, done):
            done(Unreachable("no space"))

    plane = plane_of({1: fakes.Says(0.5)}, record=Full())
    with pytest.raises(Unreachable):
        plane.answer("m", [fakes.ROW], request_id="r")


def test_refused_rows_leave_no_trace(plane_of, records):
    plane = plane_of({1: fakes.Says(0.5)})
    with pytest.raises(InvalidRows):
        plane.answer("m", [{"x": "1", "city": None}], request_id="r")
    assert recorded(records, "request_id") == []


def test_the_canary_answers_its_share_and_the_champion_is_evaluated_on_the_same_rows(plane_of, records):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Says(0.75)}, CANARY)
    answer = plane.answer("m", [fakes.ROW], request_id="r")
    assert (answer.version, answer.predictions.labels.tolist()) == (2, ["yes"])
    assert plane.flush(10)
    assert recorded(records, "version", "route", "prediction") == [(2, "canary", "yes"), (1, "shadow", "no")]
    assert records.read("predictions", "m")["features"].null_count() == 1


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


@pytest.mark.parametrize("error", [ZeroDivisionError("by zero"), SystemExit(3), MemoryError()])
def test_a_canary_that_raises_is_answered_for_by_the_champion(plane_of, records, error):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Raises(error)}, CANARY)
    answer = plane.answer("m", [fakes.ROW], request_id="r")
    assert (answer.version, answer.predictions.labels.tolist()) == (1, ["no"])
    assert plane.flush(10)
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "ok")]
    assert type(error).__name__ in records.read("predictions", "m")["error"][0]


def test_a_canary_that_hangs_is_answered_for_by_the_champion(plane_of, records):
    slow = fakes.Hangs()
    plane = plane_of({1: fakes.Says(0.25), 2: slow}, CANARY, trial_timeout_s=0.05)
    slow.go.clear()
    assert plane.answer("m", [fakes.ROW], request_id="r1").version == 1
    assert plane.answer("m", [fakes.ROW], request_id="r2").version == 1
    slow.go.set()
    assert recorded(records, "request_id", "version", "status") == [
        ("r1", 2, "error"),
        ("r1", 1, "ok"),
        ("r2", 2, "error"),
        ("r2", 1, "ok"),
    ]


@pytest.mark.parametrize("labels", [[np.nan], [np.inf], [1.0, 2.0], None, ["a"]])
def test_an_answer_that_is_no_answer_is_a_failure(plane_of, records, labels):
    models = {1: fakes.Answers([7.0]), 2: fakes.Answers(labels)}
    plane = plane_of(models, CANARY, signature=fakes.REGRESSION)
    assert plane.answer("m", [fakes.ROW], request_id="r").predictions.labels.tolist() == [7.0]
    assert recorded(records, "version", "status") == [(2, "error"), (1, "ok")]


def test_answers_whose_sum_is_out_of_range_are_answers(plane_of):
    plane = plane_of({1: fakes.Answers([1e308, 1e308])}, signature=fakes.REGRESSION)
    assert plane.answer("m", [fakes.ROW] * 2).predictions.labels.tolist() == [1e308, 1e308]


def test_a_canary_that_wants_a_column_the_champion_does_not_have_fails_alone(plane_of, records):
    other = replace(fakes.BINARY, columns=(*fakes.BINARY.columns, replace(fakes.BINARY.columns[0], name="more")))
    plane = plane_of({1: fakes.Says(0.25), 2: Package(model=fakes.Says(0.75), signature=other)}, CANARY)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1
    assert "more" in records.read("predictions", "m")["error"][0]


def test_a_canary_that_wants_fewer_columns_gets_those(plane_of):
    other = replace(fakes.BINARY, columns=fakes.BINARY.columns[:1])
    plane = plane_of({1: fakes.Says(0.25), 2: Package(model=fakes.Says(0.75), signature=other)}, CANARY)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 2


def test_a_champion_that_fails_is_an_error_that_says_so_and_is_recorded(plane_of, records):
    plane = plane_of({1: fakes.Raises(), 2: fakes.Says(0.5)}, SHADOW)
    with pytest.raises(PredictionFailed, match=r"version 1 of model 'm'.*ZeroDivisionError") as caught:
        plane.answer("m", [fakes.ROW], request_id="r")
    assert caught.value.http_status == 500
    assert plane.flush(10)
    assert recorded(records, "version", "route", "status", "error") == [
        (1, "champion", "error", "ZeroDivisionError: by zero"),
        (2, "shadow", "ok", None),
    ]


def test_when_both_fail_both_failures_are_recorded(plane_of, records):
    plane = plane_of({1: fakes.Raises(), 2: fakes.Raises()}, CANARY)
    with pytest.raises(PredictionFailed, match="version 1"):
        plane.answer("m", [fakes.ROW], request_id="r")
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "error")]


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


def test_a_key_given_with_the_request_counts_for_rows_without_their_own(plane_of, records):
    plane = plane_of({1: fakes.Says(0.25)}, key_column="customer")
    plane.answer("m", [{**fakes.ROW, "customer": "own"}, fakes.ROW], request_id="r", key="given")
    assert recorded(records, "key") == [("own",), ("given",)]


def test_switching_loads_what_is_new_and_lets_go_what_is_not_named(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions)
    plane.switch(replace(SHADOW, generation=2))
    plane.switch(replace(CANARY, generation=3))
    plane.switch(Route(model="m", generation=4, champion=2))
    assert versions.loads == [1, 2]
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 2
    plane.switch(Route(model="m", generation=5, champion=1))
    assert versions.loads == [1, 2, 1]
    assert plane.generations == {"m": 5}


def test_a_version_is_warm_before_it_answers(plane_of):
    model = fakes.Says(0.25)
    plane_of({1: model})
    assert model.asked > 0


def test_an_older_generation_does_not_come_back(plane_of):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Says(0.75)}, Route(model="m", generation=5, champion=2))
    plane.switch(CHAMPION)
    assert plane.generations == {"m": 5}
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 2


def test_a_version_that_does_not_load_leaves_everything_as_it_was(plane_of):
    plane = plane_of({1: fakes.Says(0.25)})
    with pytest.raises(KeyError):
        plane.switch(CANARY)
    assert plane.generations == {"m": 1}
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1


def test_no_request_fails_or_is_torn_while_versions_are_switched(plane_of):
    plane = plane_of({n: fakes.Says(n / 10) for n in range(1, 10)})
    stop, wrong, answers = threading.Event(), [], []

    def ask(thread):
        number = 0
        while not stop.is_set():
            number += 1
            answer = plane.answer("m", [fakes.ROW], request_id=f"{thread}-{number}")
            answers.append(answer.version)
            if answer.predictions.scores[0][1] != pytest.approx(answer.version / 10):
                wrong.append(answer)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(3)]
    for thread in threads:
        thread.start()
    for generation in range(2, 60):
        plane.switch(Route(model="m", generation=generation, champion=1 + generation % 9))
    stop.set()
    for thread in threads:
        thread.join(10)
    assert not wrong
    assert len(answers) > 3


def test_unknown_models_and_models_without_a_champion_say_so(plane_of):
    plane = plane_of({1: fakes.Says(0.25)}, Route(model="churn", generation=1, champion=None))
    with pytest.raises(NotFound) as caught:
        plane.answer("chrun", [fakes.ROW], request_id="r")
    assert caught.value.hint == "did you mean 'churn'?"
    for ask in (lambda: plane.answer("churn", [fakes.ROW], request_id="r"), lambda: plane.signature("churn")):
        with pytest.raises(Conflict, match="no champion"):
            ask()


def test_a_forgotten_model_is_served_no_longer(plane_of):
    plane = plane_of({1: fakes.Says(0.25)})
    plane.forget("m")
    assert plane.routes == {}
    with pytest.raises(NotFound):
        plane.answer("m", [fakes.ROW], request_id="r")


def test_what_was_evaluated_is_counted(plane_of):
    plane = plane_of({1: fakes.Says(0.25), 2: fakes.Raises()}, CANARY)
    plane.answer("m", [fakes.ROW] * 3, request_id="r")
    text = exposition(plane.metrics.counts).decode()
    assert 'homeostat_evaluations_total{model="m",route="canary",status="error",version="2"} 1.0' in text
    assert 'homeostat_rows_total{model="m",route="champion",version="1"} 3.0' in text
    assert 'homeostat_evaluation_seconds_count{model="m",route="champion",version="1"} 1.0' in text


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


class FailsLate(fakes.Hangs):
    """Raises when it is let go; what warmed it up was answered."""

    def predict_proba(self, frame):
        answer = super().predict_proba(frame)
        if self.asked > 1:
            raise ZeroDivisionError("late")
        return answer


def waiting_for(plane, late):
    """Ask what waits for a version; return the thread and where its answer appears, as soon as the version was asked."""
    late.go.clear()
    answers = []
    client = threading.Thread(target=lambda: answers.append(plane.answer("m", [fakes.ROW], request_id="r")))
    client.start()
    while not plane.run(asking(plane)):
        client.join(0.005)
    return client, answers


async def asking(plane):
    return sum(each.asking for each in plane.plane._serving["m"].loaded.values())


def test_a_champion_that_was_replaced_still_answers_for_the_canary_that_fails(plane_of, records):
    late = FailsLate()
    plane = plane_of({1: fakes.Says(0.25), 2: late, 3: fakes.Says(0.75)}, CANARY)
    client, answers = waiting_for(plane, late)
    plane.switch(Route(model="m", generation=3, champion=3))
    late.go.set()
    client.join(10)
    assert answers[0].version == 1
    assert recorded(records, "version", "route", "status") == [(2, "canary", "error"), (1, "champion", "ok")]


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


def test_the_version_to_return_to_stands_by_and_answers_without_being_loaded(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions)
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    assert plane.plane.standby("m") == 1
    plane.switch(CHAMPION_AGAIN)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1
    assert versions.loads == [1, 2]
    assert plane.plane.standby("m") is None


def test_a_version_that_stands_by_is_loaded_where_it_was_not_there(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions, None)
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 2
    plane.switch(CHAMPION_AGAIN, standby=2)
    assert plane.answer("m", [fakes.ROW], request_id="s").version == 1
    assert versions.loads == [2, 1]


def test_a_version_that_cannot_stand_by_disturbs_nothing_and_is_loaded_when_it_is_wanted(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    broken = [True]

    def load(model, version):
        if version == 1 and broken[0]:
            raise OSError("its files are away")
        return versions(model, version)

    plane = plane_of(load, None)
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    while plane.plane.standby("m") is not None:
        plane.answer("m", [fakes.ROW])
    broken[0] = False
    plane.switch(CHAMPION_AGAIN)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1


def test_a_version_that_was_given_up_does_not_come_back_from_standing_by(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions)
    plane.plane._serving["m"].loaded[1].evaluator.is_given_up = True
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    plane.switch(CHAMPION_AGAIN)
    assert versions.loads == [1, 2, 1]
