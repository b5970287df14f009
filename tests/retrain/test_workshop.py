from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import polars as pl
import pytest

from homeostat.core.columns import Column, Kind, Signature, Task
from homeostat.core.errors import InvalidInput, Quarantined
from homeostat.data.settings import ContractSettings, DataSettings
from homeostat.data.versions import release
from homeostat.retrain.capture import MARK
from homeostat.retrain.project import Project
from homeostat.retrain.workshop import Workshop, _refuse_unrecorded
from homeostat.serve.recording import hashed
from homeostat.serve.settings import RecordSettings
from homeostat.storage.blobs import LocalBlobs
from homeostat.storage.sql.store import open_memory_store
from homeostat.storage.tables.delta import DeltaTables

START = datetime(2024, 1, 1, tzinfo=UTC)


class At:
    def now(self):
        return START + timedelta(days=30)


@pytest.fixture
def shop(tmp_path):
    store = open_memory_store()
    data = DataSettings(source="rows.csv", target="y", time="at", key=["id"], exclude=["inside"])
    yield Workshop(
        project=Project(model="sales", task=Task.REGRESSION, data=data),
        store=store,
        tables=DeltaTables(tmp_path / "tables"),
        blobs=LocalBlobs(tmp_path / "blobs"),
        clock=At(),
        probe=None,
        root=tmp_path,
        workdir=tmp_path / "work",
        actor="ann",
    )
    store.close()


def history(rows=100):
    return pl.DataFrame(
        {
            "id": range(rows),
            "at": [START + timedelta(hours=n) for n in range(rows)],
            "x": [n % 7 + 0.5 for n in range(rows)],
            "inside": [n % 5 for n in range(rows)],
            "y": [n % 9 + 0.5 for n in range(rows)],
        }
    )


def asked(ids, *, y=3.5, x=2.5):
    """Rows as production brings them: nobody sent the excluded column."""
    return pl.DataFrame(
        {
            "id": ids,
            "at": [START + timedelta(days=10, hours=n) for n in range(len(ids))],
            "x": [x] * len(ids),
            "inside": [None] * len(ids),
            "y": [y] * len(ids),
            MARK: [f"r{n}:0" for n in range(len(ids))],
        },
        schema_overrides={"id": pl.Int64, "inside": pl.Int64},
    )


def test_production_need_bring_neither_keys_nor_excluded_columns(shop):
    shop.commit(history(), source="rows.csv", key=None)
    assert shop.commit_captured(asked([500, None, None]), key="one").rows == 103


def test_a_file_without_them_is_still_quarantined(shop):
    shop.commit(history(), source="rows.csv", key=None)
    with pytest.raises(Quarantined, match="inside: nulls"):
        shop.commit(asked([500, 501]), source="more.csv", key=None)


def test_a_corrected_row_comes_again_under_its_key(shop):
    shop.commit(history(), source="rows.csv", key=None)
    shop.commit_captured(asked([500, 501]), key="one")
    assert shop.commit_captured(asked([500, 501], y=4.5), key="two").rows == 104


def test_another_row_under_a_known_key_is_quarantined(shop):
    shop.commit(history(), source="rows.csv", key=None)
    with pytest.raises(Quarantined, match="id: unique"):
        shop.commit_captured(asked([500, 7]), key="one")


def test_features_of_production_are_held_to_the_contract(shop):
    shop.commit(history(), source="rows.csv", key=None)
    with pytest.raises(Quarantined, match="x: range"):
        shop.commit_captured(asked([500, 501], x=-9999.0), key="one")


def test_what_production_taught_may_be_much_more_than_the_first_rows(shop):
    shop.commit(history(), source="rows.csv", key=None)
    many = asked(list(range(500, 2_000)))
    many = many.with_columns(at=pl.lit(START + timedelta(days=10)))
    assert shop.commit_captured(many, key="one").rows == 1_600
    with pytest.raises(Quarantined, match="batch: rows"):
        shop.commit(history(1_500).with_columns(pl.col("id") + 5_000, at=pl.lit(START)), source="more.csv", key=None)


def test_a_limit_that_somebody_set_holds_for_production_too(shop):
    set_by_hand = msgspec.structs.replace(shop.project.data, contract=ContractSettings(max_rows=200))
    shop = replace(shop, project=msgspec.structs.replace(shop.project, data=set_by_hand))
    shop.commit(history(), source="rows.csv", key=None)
    with pytest.raises(Quarantined, match="batch: rows"):
        shop.commit_captured(asked(list(range(500, 800))), key="one")


def test_a_few_odd_rows_of_production_are_set_aside_by_themselves(shop):
    shop.commit(history(), source="rows.csv", key=None)
    told = []
    few = asked(list(range(500, 600))).with_columns(x=pl.when(pl.col("id") < 505).then(-9999.0).otherwise(2.5))
    assert shop.commit_captured(few, key="one", spares=told.append).rows == 195
    assert "(5 rows) breaks the contract" in told[0].message
    with shop.store.read() as tx:
        (batch,) = tx.datasets.quarantined("sales")
    released = release(
        batch.batch_id,
        by="ann",
        reason="checked",
        store=shop.store,
        tables=shop.tables,
        blobs=shop.blobs,
        now=shop.clock.now(),
    )
    assert released.rows == 200
    many = few.with_columns(pl.col("id") + 200, x=pl.when(pl.col("id") < 506).then(-9999.0).otherwise(2.5))
    with pytest.raises(Quarantined, match=r"\(100 rows\).*x: range"):
        shop.commit_captured(many, key="two", spares=told.append)
    assert len(told) == 1


def test_captured_rows_with_hashed_keys_keep_the_contract_and_the_hash(shop):
    texts = pl.col("id").cast(pl.String).str.replace("^", "customer-")
    shop.commit(history().with_columns(texts), source="rows.csv", key=None)
    marks = [hashed("customer-7", b"key"), hashed("customer-8", b"key")]
    known = asked([500, 501]).with_columns(pl.Series("id", marks))
    assert shop.commit_captured(known, key="one").rows == 102


def test_a_version_that_reads_what_is_not_recorded_is_not_adopted():
    signature = Signature(
        task=Task.REGRESSION,
        columns=(Column(name="x", kind=Kind.FLOAT), Column(name="email", kind=Kind.TEXT)),
        target="y",
    )
    _refuse_unrecorded(signature, RecordSettings(hash=["customer"]))
    for record in (RecordSettings(hash=["email"]), RecordSettings(drop=["email"])):
        with pytest.raises(InvalidInput, match="'email', which is not recorded"):
            _refuse_unrecorded(signature, record)
