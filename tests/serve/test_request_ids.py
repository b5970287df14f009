import pytest

from homeostat.core.errors import Conflict, InvalidInput
from homeostat.serve.request_ids import RequestIds


def test_an_id_is_new_once_and_a_retry_with_the_same_body():
    ids = RequestIds()
    assert ids.take("m", "r", b"body") is True
    assert ids.take("m", "r", b"body") is False
    with pytest.raises(Conflict, match="'r'"):
        ids.take("m", "r", b"other")
    assert ids.take("n", "r", b"other") is True


def test_a_released_id_may_ask_something_else():
    ids = RequestIds()
    ids.take("m", "r", b"body")
    ids.release("m", "r")
    assert ids.take("m", "r", b"other") is True


def test_the_oldest_ids_are_forgotten():
    ids = RequestIds(remembered=2)
    for name in ("a", "b", "a", "c"):
        ids.take("m", name, b"body")
    assert ids.take("m", "a", b"body") is False
    assert ids.take("m", "b", b"other") is True


@pytest.mark.parametrize("name", ["", " ", "a b", "ü", "a\n", "x" * 129, "../a/b"])
def test_what_is_no_id_is_refused(name):
    with pytest.raises(InvalidInput):
        RequestIds().take("m", name, b"")
