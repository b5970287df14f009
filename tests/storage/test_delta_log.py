import json
from datetime import timedelta

import polars as pl
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from homeostat.core.errors import InvalidInput
from homeostat.storage.delta_log import FOLDER, newest_commit, snapshot


def append(folder, number, *, writer="w1", checkpoint_every=5):
    write_deltalake(
        str(folder),
        pl.DataFrame({"a": [number]}),
        mode="append",
        configuration={"delta.checkpointInterval": str(checkpoint_every)},
        commit_properties=CommitProperties(app_transactions=[Transaction(writer, number)]),
    )


def agrees(folder, writers):
    """Fail where the log is read otherwise than delta-rs reads it."""
    ours, theirs = snapshot(folder), DeltaTable(str(folder))
    assert ours.version == theirs.version()
    assert sorted(ours.files) == sorted(uri.rpartition("/")[2] for uri in theirs.file_uris())
    assert {writer: ours.transactions.get(writer) for writer in writers} == {
        writer: theirs.transaction_version(writer) for writer in writers
    }


def test_it_is_read_as_delta_rs_reads_it_through_appends_compactions_and_checkpoints(tmp_path):
    writers = [f"w{n} ä" for n in range(3)]
    for number in range(1, 18):
        append(tmp_path, number, writer=writers[number % 2])
        if number in (4, 11):
            DeltaTable(str(tmp_path)).optimize.compact()
        agrees(tmp_path, writers)
    assert list((tmp_path / FOLDER).glob("*.checkpoint.parquet"))
    assert newest_commit(tmp_path) == f"{snapshot(tmp_path).version:020d}.json"


def test_it_is_read_when_the_commits_before_a_checkpoint_are_gone(tmp_path):
    for number in range(1, 14):
        append(tmp_path, number)
    for commit in sorted((tmp_path / FOLDER).glob("*.json"))[:10]:
        commit.unlink()
    agrees(tmp_path, ["w1"])
    assert snapshot(tmp_path).transactions == {"w1": 13}


def test_no_table_is_none(tmp_path):
    assert snapshot(tmp_path) is None
    (tmp_path / FOLDER).mkdir()
    assert snapshot(tmp_path) is None
    assert newest_commit(tmp_path) == ""


def test_a_table_that_asks_for_more_than_we_read_is_refused(tmp_path):
    append(tmp_path, 1)
    raised = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}}
    (tmp_path / FOLDER / f"{1:020d}.json").write_text(json.dumps(raised) + "\n")
    with pytest.raises(InvalidInput, match="reader of version 3"):
        snapshot(tmp_path)


def test_a_restored_table_is_read_as_it_was(tmp_path):
    for number in range(1, 8):
        append(tmp_path, number)
    DeltaTable(str(tmp_path)).restore(3)
    agrees(tmp_path, ["w1"])
    DeltaTable(str(tmp_path)).vacuum(
        retention_hours=int(timedelta(days=8).total_seconds() // 3600), dry_run=False, enforce_retention_duration=False
    )
    agrees(tmp_path, ["w1"])
