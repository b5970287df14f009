"""When a process is given up, and how long until it has another chance."""

from itertools import pairwise

from homeostat.serve.hosts.fence import FENCED_AFTER, MOST_PAUSE_S, PAUSE_S, STEADY_S, Fence


def dies(fence, *, counts=True, lived_s=1.0):
    return fence.died("it died", counts=counts, lived_s=lived_s)


def test_ends_in_a_row_open_it_and_the_pauses_grow_up_to_a_bound():
    fence = Fence()
    waits = [dies(fence) for _ in range(FENCED_AFTER + 8)]
    assert waits[: FENCED_AFTER + 1] == [0.0, 0.5, PAUSE_S, 2 * PAUSE_S]
    assert waits[-1] == MOST_PAUSE_S
    assert all(a <= b for a, b in pairwise(waits))
    assert fence.reason == "it died when it was tried again"


def test_ends_over_one_question_or_after_a_long_life_are_no_row():
    fence = Fence()
    for _ in range(10):
        dies(fence, counts=False)
        dies(fence, lived_s=STEADY_S + 1)
    assert fence.reason is None


def test_an_answer_closes_it_but_only_a_long_life_takes_the_longer_pause_back():
    fence = Fence()
    for pause in (PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S):
        waits = [dies(fence) for _ in range(FENCED_AFTER)]
        assert waits[-1] == pause
        assert fence.answered(lived_s=1.0)
        assert not fence.answered(lived_s=1.0)
        assert fence.reason is None
    assert not fence.answered(lived_s=STEADY_S + 1)
    assert [dies(fence) for _ in range(FENCED_AFTER)][-1] == PAUSE_S


def test_what_was_given_up_before_is_so_until_it_answers():
    fence = Fence(reason="before")
    assert dies(fence) == PAUSE_S
    assert fence.answered(lived_s=1.0)
