import threading
import time

import pytest

from homeostat.serve.beside import Background, within


def test_tasks_run_in_order_and_a_failing_one_does_not_stop_those_behind_it(caplog):
    background, done = Background(most=10), []
    assert background.submit(lambda: done.append(1))
    assert background.submit(lambda: 1 / 0)
    assert background.submit(lambda: done.append(2))
    assert background.flush(10)
    assert done == [1, 2]
    assert "background_task_failed" in caplog.text


def test_what_is_too_much_is_refused_and_nothing_waits_for_it():
    background, go = Background(most=10), threading.Event()
    assert background.submit(lambda: go.wait(10) and None, weight=6)
    assert background.submit(lambda: None, weight=4)
    assert not background.submit(lambda: None, weight=1)
    assert not background.flush(0.01)
    go.set()
    assert background.flush(10)
    assert background.submit(lambda: None, weight=100)
    assert background.flush(10)


def test_after_closing_what_was_taken_is_done_and_nothing_more_is_taken():
    background, done = Background(most=10), []
    background.submit(lambda: done.append(1))
    assert background.close(10)
    assert done == [1]
    assert not background.submit(lambda: done.append(2))
    assert background.close(10)


def test_within_hands_back_what_came():
    assert within(10, lambda: None) is None
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)
    with pytest.raises(SystemExit):
        within(10, lambda: exit(3))  # noqa: PLR1722 - what a model's code may do


def test_within_does_not_wait_for_what_hangs():
    go = threading.Event()
    start = time.perf_counter()
    with pytest.raises(TimeoutError, match=r"0\.05 s"):
        within(0.05, lambda: go.wait(30))
    assert time.perf_counter() - start < 5
    go.set()
