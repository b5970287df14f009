"""Which questions are remembered to end a model's process, and for how long."""

from homeostat.serve.hosts.culprits import KEPT_S, Culprits


def test_a_question_is_known_after_the_second_time_and_new_once():
    found = Culprits()
    assert not found.knows(b"a")
    assert found.note(b"a")
    assert not found.knows(b"a")
    assert not found.note(b"a")
    assert found.knows(b"a")
    assert not found.knows(b"b")
    assert found.note(b"b", times=2)
    assert found.knows(b"b")


def test_it_is_forgotten_after_ten_minutes():
    now = [0.0]
    found = Culprits(lambda: now[0])
    found.note(b"a", times=2)
    now[0] = KEPT_S - 1
    assert found.knows(b"a")
    now[0] = KEPT_S
    assert not found.knows(b"a")
    assert found.note(b"a")


def test_memory_is_bounded():
    found = Culprits()
    for n in range(1500):
        found.note(str(n).encode(), times=2)
    assert not found.knows(b"0")
    assert found.knows(b"1499")


def test_a_question_that_is_answered_after_all_is_not_to_blame():
    culprits = Culprits()
    culprits.note(b"popular")
    culprits.forget(b"popular")
    assert not culprits.any
    assert culprits.note(b"popular")
    assert not culprits.knows(b"popular")
