"""Segments become rows of a table, each once, whoever dies or looks meanwhile; and rows leave it for good."""

from datetime import timedelta

import polars as pl
import pytest
from deltalake import DeltaTable
from tests.storage.record_files import files, ids, opened

from homeostat.core.errors import Conflict, InvalidInput
from homeostat.storage import record_rows, record_tables
from homeostat.storage.record_tables import RecordTables
from homeostat.testing.contracts.records import label, prediction


def test_a_segment_under_way_is_not_compacted_while_its_writer_lives(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    assert not opened(tmp_path).is_due()
    assert opened(tmp_path).compact() == 0
    writer.write("predictions", [prediction("r2")])
    writer.seal()
    assert opened(tmp_path).is_due()
    assert opened(tmp_path).compact() == 2
    assert not opened(tmp_path).is_due()
    assert files(tmp_path) == []
    writer.write("predictions", [prediction("r3")])
    assert ids(tmp_path) == ["r1", "r2", "r3"]


def test_what_stands_behind_a_damaged_block_is_set_aside_not_deleted(tmp_path):
    writer = opened(tmp_path)
    for number in range(3):
        writer.write("predictions", [prediction(f"r{number}")])
    writer.seal()
    (path,) = files(tmp_path)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    assert opened(tmp_path).compact() == 1
    assert ids(tmp_path) == ["r0"]
    assert path.with_suffix(".torn").read_bytes() == damaged
    assert opened(tmp_path).compact() == 0


def test_a_crash_between_the_table_s_commit_and_the_deletion_doubles_nothing(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    writer.write("labels", [label("l1")])
    writer.seal()
    kept = {path: path.read_bytes() for kind in ("predictions", "labels") for path in files(tmp_path, kind)}
    assert opened(tmp_path).compact() == 2
    for path, content in kept.items():
        path.write_bytes(content)  # as if the process had died before it deleted them
    assert ids(tmp_path) == ["r1"]
    assert opened(tmp_path).compact() == 0
    assert files(tmp_path) == []
    assert pl.read_delta(str(tmp_path / "tables/predictions/m")).height == 1
    assert pl.read_delta(str(tmp_path / "tables/labels/m")).height == 1


def test_a_reader_that_lists_segments_just_before_they_move_sees_their_rows(tmp_path, monkeypatch):
    writer = opened(tmp_path, segment_age=timedelta(0))
    for number in range(4):
        writer.write("predictions", [prediction(f"r{number}")])
    writer.seal()
    reader = opened(tmp_path)
    unhurried = record_tables.read_segment
    seen = []

    def read_after_another_process_compacted(path):
        seen.append(path)
        if len(seen) == 2:
            with monkeypatch.context() as undone:
                undone.setattr(record_tables, "read_segment", unhurried)
                assert opened(tmp_path).compact() == 4
        return unhurried(path)

    monkeypatch.setattr(record_tables, "read_segment", read_after_another_process_compacted)
    assert reader.read("predictions", "m")["request_id"].to_list() == ["r0", "r1", "r2", "r3"]
    assert len(seen) == 4


def test_a_second_compactor_leaves_the_work_to_the_first(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    writer.seal()
    with record_tables.claim(_touched(tmp_path / "compact.lock")) as is_mine:
        assert is_mine
        assert opened(tmp_path).compact() == 0
    assert opened(tmp_path).compact() == 1


def _touched(path):
    path.touch()
    return path


def test_many_small_moves_do_not_leave_many_small_files(tmp_path, monkeypatch):
    monkeypatch.setattr(record_tables, "_MANY_FILES", 3)
    writer = opened(tmp_path)
    for number in range(9):
        writer.write("predictions", [prediction(f"r{number}")])
        writer.seal()
        writer.compact()
    assert len(DeltaTable(tmp_path / "tables/predictions/m").file_uris()) <= 3
    assert ids(tmp_path) == [f"r{n}" for n in range(9)]


def test_models_with_rows_are_listed(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1"), prediction("r1", model="b")])
    writer.write("labels", [label("l1", model="c")])
    assert writer.models() == ["b", "m"]
    assert writer.models("labels") == ["c"]


def test_a_table_from_before_a_column_was_added_is_read_and_grows(tmp_path, monkeypatch):
    now = dict(record_rows.SCHEMAS)
    before = {name: dtype for name, dtype in now["predictions"].items() if name not in ("caller", "trace")}
    monkeypatch.setitem(record_rows.SCHEMAS, "predictions", before)
    old = opened(tmp_path)
    old.write("predictions", [prediction("r1", key="a"), prediction("r2", key="b")])
    old.close()
    assert opened(tmp_path).compact() == 2
    monkeypatch.setitem(record_rows.SCHEMAS, "predictions", now["predictions"])
    assert opened(tmp_path).read("predictions", "m")["caller"].to_list() == [None, None]
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r3", caller="shop", trace="0af7651916cd43dd8448eb211c80319c")])
    writer.close()
    assert opened(tmp_path).compact() == 1
    assert opened(tmp_path).read("predictions", "m")["caller"].to_list() == [None, None, "shop"]
    assert opened(tmp_path).erase("m", ["a"]) == {"predictions": 1, "labels": 0}
    found = opened(tmp_path).read("predictions", "m")
    assert found["trace"].to_list() == [None, "0af7651916cd43dd8448eb211c80319c"]


def test_one_process_at_a_time_has_the_tables_alone(tmp_path):
    first, second = RecordTables(tmp_path / "record"), RecordTables(tmp_path / "record")
    with first.alone(), pytest.raises(Conflict, match="being compacted"), second.alone():
        pass
    with second.alone():
        pass


def test_rows_that_are_dropped_are_in_no_file_any_more(tmp_path):
    writer = opened(tmp_path)
    for name in ("anna", "bert"):
        writer.write("predictions", [prediction(f"r-{name}", key=name)])
        writer.seal()
        writer.compact()
    torn = tmp_path / "segments/predictions/m/old.torn"
    torn.write_bytes(b"anna")
    tables = RecordTables(tmp_path)
    assert tables.drop("predictions", "m", pl.col("key") == "anna") == 1
    assert tables.frame("predictions", "m").collect()["request_id"].to_list() == ["r-bert"]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in kept if b"anna" in path.read_bytes()]
    assert tables.drop("predictions", "m", pl.col("key") == "anna") == 0
    assert ids(tmp_path) == ["r-bert"]


def test_a_table_that_is_not_there_has_no_rows_and_nothing_to_drop(tmp_path):
    tables = RecordTables(tmp_path)
    assert tables.models() == []
    assert tables.frame("labels", "m").collect().height == 0
    assert tables.drop("labels", "m", pl.lit(value=True)) == 0
    assert tables.compact("labels", "m") == 0
    with pytest.raises(InvalidInput):
        tables.models("guesses")
