"""kill -9 under load: whatever was answered is there afterwards, and nothing is there by half."""

import pytest
from tests.web.killed import Server, rounds


@pytest.fixture
def say(capsys):
    def say(text):
        with capsys.disabled():
            print(text, end=" ", flush=True)

    return say


def test_three_kills_lose_nothing_that_was_answered(tmp_path, say):
    database = f"sqlite:///{tmp_path}/a.db"
    rounds(tmp_path, database, 3, say)
    again = Server(tmp_path, database)
    again.wait()
    again.kill()


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_fifty_kills_lose_nothing_that_was_answered(tmp_path, say):
    rounds(tmp_path, f"sqlite:///{tmp_path}/a.db", 50, say)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_five_kills_beside_postgresql_lose_nothing_that_was_answered(tmp_path, say, postgres):
    rounds(tmp_path, postgres.fresh(), 5, say)
