from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from homeostat.audit.log import verify
from homeostat.core.columns import Kind, Roles
from homeostat.core.errors import Conflict, InvalidInput, NotFound, Quarantined
from homeostat.core.records.data import QuarantineState
from homeostat.data.diff import diff
from homeostat.data.kinds import infer_kinds
from homeostat.data.settings import ColumnRule, ContractSettings
from homeostat.data.versions import commit, discard, kinds_of, load, release, roles_of
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store
from homeostat.storage.tables.delta import DeltaTables

NOW = datetime(2024, 5, 1, tzinfo=UTC)
ROLES = Roles(target="y", key=("id",))


class Bench:
    """The stores and a commit with defaults."""

    def __init__(self, root):
        self.store = open_memory_store()
        self.tables = DeltaTables(root / "tables")
        self.blobs = LocalBlobs(root / "blobs")

    def commit(self, frame, **changes):
        given = {
            "dataset": "sales",
            "roles": ROLES,
            "kinds": infer_kinds(frame),
            "settings": ContractSettings(),
            "source": "test",
            "actor": "ada",
            "now": NOW,
            **changes,
        }
        return commit(frame, store=self.store, tables=self.tables, blobs=self.blobs, **given)

    def release(self, batch_id, *, by="bob", reason="checked by hand"):
        return release(batch_id, by=by, reason=reason, store=self.store, tables=self.tables, blobs=self.blobs, now=NOW)

    def discard(self, batch_id, *, by="bob", reason="garbage"):
        return discard(batch_id, by=by, reason=reason, store=self.store, now=NOW)

    def load(self, version=None):
        return load(store=self.store, tables=self.tables, dataset="sales", version=version)

    def events(self):
        with self.store.read() as tx:
            return [event.kind for event in tx.audit.events()]

    def held(self):
        with self.store.read() as tx:
            return tx.datasets.quarantined("sales")

    def state(self):
        with self.store.read() as tx:
            kept = (tx.datasets.versions("sales"), tx.datasets.quarantined(), tx.datasets.contract("sales"))
        return (*kept, self.events())


@pytest.fixture
def bench(tmp_path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


def batch(start, rows=100, **columns):
    ids = range(start, start + rows)
    return pl.DataFrame(
        {
            "id": ids,
            "x": [n % 10 / 10 for n in ids],
            "c": ["ab"[n % 2] for n in ids],
            "y": [n % 2 for n in ids],
            **columns,
        }
    )


def test_batches_become_versions_that_can_all_be_loaded(bench):
    first = bench.commit(batch(0))
    second = bench.commit(batch(100, 50), now=NOW + timedelta(days=1))
    assert (first.version, first.rows, first.added) == (1, 100, 100)
    assert (second.version, second.rows, second.added) == (2, 150, 50)
    assert bench.load()[0] == second
    assert bench.load()[1]["id"].to_list() == list(range(150))
    assert bench.load(1)[1]["id"].to_list() == list(range(100))
    assert bench.events() == ["dataset.committed", "dataset.committed"]
    assert verify(bench.store) == 2
    assert kinds_of(second) == {"id": Kind.INTEGER, "x": Kind.FLOAT, "c": Kind.CATEGORY, "y": Kind.INTEGER}
    assert roles_of(second) == ROLES


def test_what_was_never_committed_is_not_found(bench):
    with pytest.raises(NotFound, match="no version yet"):
        bench.load()
    bench.commit(batch(0))
    with pytest.raises(NotFound, match="no version 7"):
        bench.load(7)


def test_a_key_commits_once(bench):
    first = bench.commit(batch(0), key="monday")
    before = bench.state()
    assert bench.commit(batch(0), key="monday") == first
    assert bench.state() == before
    assert bench.load()[1].height == 100


class BrokenStore:
    """A store whose writes fail at their end, as when the process or the disk dies there."""

    def __init__(self, inner):
        self.inner = inner

    def read(self):
        return self.inner.read()

    def write(self):
        from contextlib import contextmanager

        @contextmanager
        def failing():
            with self.inner.write() as tx:
                yield tx
                raise OSError("disk full")

        return failing()


class DyingTables(DeltaTables):
    """Tables that cannot be put back: what a killed process leaves."""

    def append(self, *args, **kwargs):
        super().append(*args, **kwargs)
        raise KeyboardInterrupt

    def version(self, table):
        return self.was if hasattr(self, "was") else super().version(table)


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("before", [0, 1])
def test_a_commit_whose_process_died_after_the_append_leaves_no_rows(bench, before, key):
    if before:
        bench.commit(batch(0))
    dying = DyingTables(bench.tables.root)
    dying.was = bench.tables.version("datasets/sales")
    good, bench.tables = bench.tables, dying
    with pytest.raises(KeyboardInterrupt):
        bench.commit(batch(100), key=key)
    bench.tables = good
    assert bench.tables.read("datasets/sales").height == 100 * (before + 1)
    version = bench.commit(batch(100), key=key)
    assert (version.version, version.rows) == (before + 1, 100 * (before + 1))
    assert bench.load()[1].height == version.rows
    assert bench.commit(batch(200)).rows == version.rows + 100


@pytest.mark.parametrize("before", [0, 1])
def test_a_failed_database_puts_the_table_back(bench, before):
    if before:
        bench.commit(batch(0))
    state = bench.state()
    good, bench.store = bench.store, BrokenStore(bench.store)
    with pytest.raises(OSError, match="disk full"):
        bench.commit(batch(100))
    bench.store = good
    assert bench.state() == state
    assert (bench.tables.read("datasets/sales").height if before else bench.tables.version("datasets/sales")) == (
        100 if before else None
    )
    assert bench.commit(batch(100)).rows == 100 * (before + 1)
    assert bench.load()[1].height == 100 * (before + 1)


def test_a_history_that_the_database_does_not_know_is_not_dropped(bench, tmp_path):
    bench.commit(batch(0))
    bench.commit(batch(100))
    other = Bench(tmp_path)
    with pytest.raises(Conflict, match="does not know"):
        other.commit(batch(0))
    other.store.close()
    assert bench.load()[1].height == 200


def test_a_broken_batch_is_held_whole_and_the_version_stays(bench):
    first = bench.commit(batch(0))
    broken = batch(100).with_columns(pl.when(pl.col("id") == 105).then(99_999.0).otherwise("x").alias("x"), c=None)
    with pytest.raises(Quarantined) as caught:
        bench.commit(broken, source="monday.csv")
    (held,) = bench.held()
    assert held.batch_id in caught.value.message
    assert "x: range" in caught.value.message
    assert "c: nulls" in caught.value.message
    assert (held.rows, held.state, held.source) == (100, QuarantineState.HELD, "monday.csv")
    found = {(v["column"], v["rule"]): v for v in held.report["violations"]}
    assert found[("x", "range")]["rows"] == [6]
    assert found[("c", "nulls")]["count"] == 100
    assert bench.load()[0] == first
    assert bench.events() == ["dataset.committed", "batch.quarantined"]
    assert pl.read_parquet(bench.blobs.local(held.location)).equals(broken)


def test_words_in_a_column_of_numbers_are_held_with_their_rows(bench):
    bench.commit(batch(0))
    with pytest.raises(Quarantined):
        bench.commit(
            batch(100).with_columns(
                pl.when(pl.col("id") == 103).then(pl.lit("many")).otherwise(pl.col("x").cast(pl.String)).alias("x")
            )
        )
    (held,) = bench.held()
    (broken,) = held.report["violations"]
    assert (broken["column"], broken["rule"], broken["rows"]) == ("x", "kind", [4])
    with pytest.raises(InvalidInput, match="row 4: 'many'"):
        bench.release(held.batch_id)
    assert bench.held()[0].state is QuarantineState.HELD
    assert bench.load()[1].height == 100


def test_rows_that_are_there_already_are_held(bench):
    bench.commit(batch(0))
    with pytest.raises(Quarantined, match="id: unique"):
        bench.commit(batch(90))
    assert bench.held()[0].report["violations"][0]["rows"] == list(range(1, 11))


def test_a_key_that_is_not_unique_at_first_may_come_back(bench):
    bench.commit(batch(0).with_columns(id=pl.lit(1)))
    assert bench.commit(batch(0).with_columns(id=pl.lit(1))).rows == 200


def test_a_released_batch_becomes_a_version_by_a_named_person(bench):
    bench.commit(batch(0))
    with pytest.raises(Quarantined):
        bench.commit(batch(100, c=["new"] * 100), key="tuesday")
    (held,) = bench.held()
    version = bench.release(held.batch_id)
    assert (version.version, version.rows, version.key) == (2, 200, "tuesday")
    assert bench.load()[1]["c"].to_list()[100:] == ["new"] * 100
    (resolved,) = bench.held()
    assert (resolved.state, resolved.resolved_by, resolved.reason) == (
        QuarantineState.RELEASED,
        "bob",
        "checked by hand",
    )
    assert bench.events()[2:] == ["dataset.committed", "batch.released"]
    with pytest.raises(Conflict, match="was released by bob"):
        bench.discard(held.batch_id)
    assert bench.commit(batch(100, c=["new"] * 100), key="tuesday") == version


def test_a_discarded_batch_is_kept_and_cannot_be_released(bench):
    first = bench.commit(batch(0))
    with pytest.raises(Quarantined):
        bench.commit(batch(100, c=["new"] * 100))
    (held,) = bench.held()
    assert bench.discard(held.batch_id).state is QuarantineState.DISCARDED
    assert bench.blobs.exists(held.location)
    assert bench.events()[-1] == "batch.discarded"
    with pytest.raises(Conflict, match="was discarded by bob"):
        bench.release(held.batch_id)
    assert bench.load()[0] == first


@pytest.mark.parametrize(("by", "reason"), [("", "r"), ("b", " ")])
def test_no_one_in_particular_cannot_resolve_a_batch(bench, by, reason):
    bench.commit(batch(0))
    with pytest.raises(Quarantined):
        bench.commit(batch(100, c=["new"] * 100))
    (held,) = bench.held()
    with pytest.raises(InvalidInput, match="person and a reason"):
        bench.release(held.batch_id, by=by, reason=reason)
    with pytest.raises(InvalidInput, match="person and a reason"):
        bench.discard(held.batch_id, by=by, reason=reason)
    with pytest.raises(NotFound, match="no quarantined batch 'nope'"):
        bench.release("nope")


def test_the_same_broken_batch_under_a_key_is_held_once(bench):
    bench.commit(batch(0))
    for _ in range(2):
        with pytest.raises(Quarantined):
            bench.commit(batch(100, c=["new"] * 100), key="k")
    assert len(bench.held()) == 1
    assert bench.events().count("batch.quarantined") == 1


def test_a_first_batch_against_the_users_own_rules_is_held_and_can_be_released(bench):
    settings = ContractSettings(columns={"x": ColumnRule(max=0.5)})
    with pytest.raises(Quarantined, match="x: range"):
        bench.commit(batch(0), settings=settings)
    with pytest.raises(NotFound):
        bench.load()
    assert bench.release(bench.held()[0].batch_id).version == 1
    assert bench.load()[1].height == 100


def test_a_first_batch_that_does_not_fit_its_kinds_changes_nothing(bench):
    with pytest.raises(InvalidInput, match="column 'c' is integer"):
        bench.commit(batch(0), kinds={"c": Kind.INTEGER})
    assert bench.state() == ([], [], None, [])
    assert bench.tables.version("datasets/sales") is None


def test_later_batches_take_the_kinds_of_the_first(bench):
    bench.commit(batch(0))
    later = batch(100).with_columns(pl.col("x").cast(pl.String), pl.col("y").cast(pl.Float64))
    bench.commit(later)
    assert bench.load()[1].schema["x"] == pl.Float64
    assert bench.load()[1].schema["y"] == pl.Int64


def test_a_new_column_is_added_where_the_contract_allows_it(bench):
    bench.commit(batch(0))
    with pytest.raises(Quarantined, match="z: columns"):
        bench.commit(batch(100, z=[1] * 100), settings=ContractSettings(allow_extra_columns=False))
    version = bench.commit(batch(200, z=[1] * 100))
    assert kinds_of(version)["z"] is Kind.INTEGER
    assert bench.load()[1]["z"].to_list() == [None] * 100 + [1] * 100


def test_the_difference_of_two_versions_tells_schema_rows_and_distribution(bench):
    first = bench.commit(batch(0))
    second = bench.commit(batch(100, 300, z=["n"] * 300).with_columns(x=pl.col("x") + 2, c=pl.lit("a")))
    found = diff(first, second)
    assert (found.rows_before, found.rows_after, found.added, found.removed) == (100, 400, ["z"], [])
    columns = {column.column: column for column in found.columns}
    assert columns["c"].distance == pytest.approx(0.5 * 0.75)
    assert columns["x"].distance > 0.5
    sd = first.profile["columns"]["x"]["sd"]
    assert columns["x"].mean_shift == pytest.approx(0.75 * 2 / sd)
    assert columns["y"].distance == 0
    same = diff(first, first)
    assert all(column.distance == 0 and column.mean_shift in (0, None) for column in same.columns)


def test_writers_in_threads_do_not_lose_each_others_rows(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    bench = Bench(tmp_path)
    bench.commit(batch(0))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: bench.commit(batch(n * 100), key=str(n)), range(1, 7)))
    version, frame = bench.load()
    assert (version.version, version.rows) == (7, 700)
    assert frame["id"].n_unique() == 700
    bench.store.close()
