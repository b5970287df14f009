"""The key of the record: one, whole, and for nobody else."""

import stat
import threading

import pytest

from homeostat.app.record_key import FILE, VARIABLE, find, find_or_make
from homeostat.core.errors import InvalidInput, NotFound


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_it_is_made_once_whoever_comes_first_and_read_by_nobody_else(tmp_path):
    assert find(tmp_path) is None
    found, gate = [], threading.Barrier(8)

    def come():
        gate.wait()
        found.append(find_or_make(tmp_path / "state", is_shared=False))

    threads = [threading.Thread(target=come) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    (path,) = (tmp_path / "state").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert find(tmp_path / "state") == found[0]


def test_one_that_others_may_read_or_that_is_cut_is_refused(tmp_path):
    find_or_make(tmp_path, is_shared=False)
    path = tmp_path / FILE
    path.chmod(0o640)
    with pytest.raises(InvalidInput, match="others may read"):
        find(tmp_path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(InvalidInput, match="5 bytes"):
        find_or_make(tmp_path, is_shared=False)


def test_machines_that_share_a_record_are_given_one(tmp_path, monkeypatch):
    with pytest.raises(InvalidInput, match="one key for all machines") as refused:
        find_or_make(tmp_path, is_shared=True)
    assert VARIABLE in refused.value.hint
    given = tmp_path / "secret"
    monkeypatch.setenv(VARIABLE, str(given))
    with pytest.raises(NotFound):
        find_or_make(tmp_path, is_shared=True)
    given.write_bytes(b"k" * 32)
    assert find_or_make(tmp_path, is_shared=True) == b"k" * 32
