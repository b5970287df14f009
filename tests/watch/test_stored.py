import pytest
from tests.watch.record_world import DAY, MODEL, REFERENCE, T0

from homeostat.storage.sql.store import open_memory_store
from homeostat.watch.look import look
from homeostat.watch.settings import WatchSettings
from homeostat.watch.stored import verdict_of


def test_decay_is_written_beside_the_verdict(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)
    (found,) = world.look(T0 + DAY)
    assert (found.state, verdict_of(found).decayed) == ("alarm", True)
    assert world.events() == ["window.judged", "performance.decayed"]
    with world.store.read() as tx:
        event = tx.audit.events(kinds=["performance.decayed"])[0]
    assert event.subject == "model:churn"
    assert event.payload["version"] == 1
    assert event.payload["window"]["start"] == T0.isoformat()
    assert event.payload["value"] > REFERENCE.performance.value
    assert "log_loss went from" in event.payload["summary"]


def test_a_second_process_writes_nothing_twice(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)

    class Stale:
        """A store whose readers do not see what another process has just written."""

        def read(self):
            return open_memory_store().read()

        def write(self):
            return world.store.write()

    world.look(T0 + DAY)
    before = world.events()
    again = look(
        store=Stale(), records=world.records, model=MODEL, reference=REFERENCE, settings=WatchSettings(), now=T0 + DAY
    )
    assert again == []
    assert world.events() == before


def test_a_failed_write_leaves_neither_verdict_nor_event(world):
    world.label(world.day(0), T0 + DAY / 2, flip=0.35)

    class Failing:
        def read(self):
            return world.store.read()

        def write(self):
            return _Dies(world.store.write())

    with pytest.raises(ZeroDivisionError):
        look(
            store=Failing(),
            records=world.records,
            model=MODEL,
            reference=REFERENCE,
            settings=WatchSettings(),
            now=T0 + DAY,
        )
    assert (world.verdicts(), world.events()) == ([], [])
    assert len(world.look(T0 + DAY)) == 1


class _Dies:
    """A transaction that fails at its end."""

    def __init__(self, inner) -> None:
        self.inner = inner

    def __enter__(self):
        return self.inner.__enter__()

    def __exit__(self, *_):
        error = ZeroDivisionError("died before the commit")
        self.inner.__exit__(type(error), error, None)
        raise error
