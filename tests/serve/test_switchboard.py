import threading
from dataclasses import replace

import pytest
from tests.serve.planes import CANARY, CHAMPION, CHAMPION_AGAIN, SHADOW

from homeostat.core.errors import NotFound
from homeostat.core.records.routes import Route
from homeostat.testing import serving as fakes


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


def test_a_forgotten_model_is_served_no_longer(plane_of):
    plane = plane_of({1: fakes.Says(0.25)})
    plane.forget("m")
    assert plane.routes == {}
    with pytest.raises(NotFound) as caught:
        plane.answer("m", [fakes.ROW], request_id="r")
    assert "homeostat status" in caught.value.hint  # there is no name that it could have been meant for


def test_the_version_to_return_to_stands_by_and_answers_without_being_loaded(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions)
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    assert plane.standby("m") == 1
    plane.switch(CHAMPION_AGAIN)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1
    assert versions.loads == [1, 2]
    assert plane.standby("m") is None


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
    while plane.standby("m") is not None:
        plane.answer("m", [fakes.ROW])
    broken[0] = False
    plane.switch(CHAMPION_AGAIN)
    assert plane.answer("m", [fakes.ROW], request_id="r").version == 1


def test_a_version_that_was_given_up_does_not_come_back_from_standing_by(plane_of):
    versions = fakes.Versions({1: fakes.Says(0.25), 2: fakes.Says(0.75)})
    plane = plane_of(versions)
    plane.plane.switchboard.of("m").loaded[1].evaluator.is_given_up = True
    plane.switch(Route(model="m", generation=2, champion=2), standby=1)
    plane.switch(CHAMPION_AGAIN)
    assert versions.loads == [1, 2, 1]
