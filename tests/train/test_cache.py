import pytest

from homeostat.storage.blobs import LocalBlobs
from homeostat.train.cache import KEPT, StepCache
from homeostat.train.graph import Step


def _step(depth):
    return Step(name="train", code="c", params={"depth": depth})


@pytest.fixture
def cache(tmp_path):
    return StepCache(LocalBlobs(tmp_path), "churn")


def test_what_is_kept_is_found_by_its_content(cache):
    planned, entry = cache.look(_step(1))
    assert (planned.hit, planned.reason, entry) == (False, "never run before", None)
    cache.keep(planned, run_id="r1")
    planned, entry = cache.look(_step(1))
    assert (planned.hit, entry.run_id) == (True, "r1")
    planned, entry = cache.look(_step(2))
    assert (planned.hit, planned.reason, entry) == (False, "params changed: depth 1 -> 2", None)


def test_scopes_do_not_see_each_other(cache, tmp_path):
    cache.keep(cache.look(_step(1))[0], run_id="r1")
    assert StepCache(LocalBlobs(tmp_path), "sales").look(_step(1))[1] is None


def test_the_newest_run_of_a_key_counts_and_old_entries_are_dropped(cache):
    for depth in range(KEPT + 5):
        cache.keep(cache.look(_step(depth))[0], run_id=f"r{depth}")
    cache.keep(cache.look(_step(7))[0], run_id="again")
    assert cache.look(_step(7))[1].run_id == "again"
    assert cache.look(_step(0))[1] is None
    assert len(cache.entries("train")) == KEPT


@pytest.mark.parametrize("content", [b"", b"[{]", b'[{"recipe": {}}]', b'{"a": 1}', b"\xff"])
def test_an_index_that_is_damaged_counts_as_empty(cache, tmp_path, content):
    cache.keep(cache.look(_step(1))[0], run_id="r1")
    LocalBlobs(tmp_path).put_bytes("cache/churn/train.json", content)
    assert cache.look(_step(1))[1] is None
