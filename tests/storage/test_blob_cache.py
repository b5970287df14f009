import threading

import pytest

from homeostat.app.wiring import open_blobs
from homeostat.core.errors import InvalidInput
from homeostat.storage.blob_cache import BlobCache

HOUR = 3600.0


class Time:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def cache(tmp_path, time):
    return BlobCache(tmp_path / "cache", most_bytes=250, now=time)


def fill(size):
    def write(folder):
        (folder / "inner").mkdir()
        (folder / "inner" / "file").write_bytes(bytes(size))

    return write


def there(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").iterdir())


def test_what_was_asked_for_longest_ago_goes_when_there_is_no_room(cache, time, tmp_path):
    for key in ("a", "b"):
        cache.add(key, fill(100))
        time.now += HOUR
    assert cache.get("a") == tmp_path / "cache" / "a"
    time.now += HOUR
    cache.add("c", fill(100))
    assert there(tmp_path) == ["a", "c"]
    assert cache.get("b") is None


def test_what_may_still_be_read_stays_though_there_is_no_room(cache, time, tmp_path):
    for key in "abcd":
        cache.add(key, fill(100))
        time.now += 60
    assert there(tmp_path) == ["a", "b", "c", "d"]
    time.now += HOUR
    cache.add("e", fill(100))
    assert there(tmp_path) == ["d", "e"]


def test_one_that_is_larger_than_the_bound_is_given_and_goes_with_the_next(cache, time, tmp_path):
    assert (cache.add("big", fill(1000)) / "inner" / "file").stat().st_size == 1000
    time.now += HOUR
    cache.add("a", fill(10))
    assert there(tmp_path) == ["a"]


def test_a_copy_that_failed_is_not_there_and_what_a_killed_one_left_goes_in_a_day(cache, time, tmp_path):
    def fail(folder):
        (folder / "half").write_bytes(b"1")
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cache.add("a", fail)
    assert (there(tmp_path), cache.get("a")) == ([], None)
    left = tmp_path / "cache" / ".left"
    left.mkdir()
    time.now = left.stat().st_mtime + HOUR
    cache.add("b", fill(1))
    assert there(tmp_path) == [".left", "b"]
    time.now += 24 * HOUR
    cache.add("c", fill(1))
    assert there(tmp_path) == ["b", "c"]


def test_many_who_want_one_key_get_one_whole_copy(cache, tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(cache.add("a", fill(50)))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [tmp_path / "cache" / "a"] * 8
    assert there(tmp_path) == ["a"]
    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("size", ["much", "-1", "inf", "nan"])
def test_a_size_that_is_none_is_refused(tmp_path, monkeypatch, size):
    pytest.importorskip("obstore", reason="no object store here: obstore is not installed")
    monkeypatch.setenv("HOMEOSTAT_CACHE_GB", size)
    with pytest.raises(InvalidInput, match="HOMEOSTAT_CACHE_GB"):
        open_blobs("s3://bucket", cache=tmp_path)
