"""The record in files: what the contract cannot know: crashes, torn tails, locks, several processes."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from homeostat.core.errors import InvalidInput, Unreachable
from homeostat.storage import record_rows, record_tables
from homeostat.storage.records import FileRecords
from homeostat.storage.segments import read_segment, segments
from homeostat.testing.contracts.records import NOW, RecordsContract, label, prediction


class TestFileRecords(RecordsContract):
    def records(self, folder: Path) -> FileRecords:
        return FileRecords(folder / "records ü", writer_id="worker-0")


def opened(folder, **other):
    return FileRecords(folder, writer_id="worker-0", **other)


def ids(folder):
    return opened(folder).read("predictions", "m")["request_id"].to_list()


def files(folder, kind="predictions"):
    return segments(folder / "segments" / kind / "m")


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


def test_segments_rotate_by_size(tmp_path):
    writer = opened(tmp_path, segment_bytes=1000)
    for number in range(20):
        writer.write("predictions", [prediction(f"r{number:02}")])
    assert len(files(tmp_path)) > 2
    moved = opened(tmp_path).compact()
    assert 0 < moved < 20
    assert len(files(tmp_path)) == 1
    assert ids(tmp_path) == [f"r{n:02}" for n in range(20)]


def test_segments_rotate_by_age(tmp_path):
    writer = opened(tmp_path, segment_age=timedelta(0))
    writer.write("predictions", [prediction("r1")])
    writer.write("predictions", [prediction("r2")])
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("lost_bytes", range(1, 60, 7))
def test_a_torn_tail_hides_its_block_and_no_other(tmp_path, lost_bytes):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    writer.write("predictions", [prediction("r2"), prediction("r3")])
    writer.seal()
    (path,) = files(tmp_path)
    os.truncate(path, path.stat().st_size - lost_bytes)
    assert ids(tmp_path) == ["r1"]
    assert opened(tmp_path).compact() == 1
    assert ids(tmp_path) == ["r1"]


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


def test_a_tail_of_zeros_as_a_crash_leaves_it_is_no_block(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    writer.seal()
    (path,) = files(tmp_path)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert read_segment(path).torn_bytes == 4096
    assert ids(tmp_path) == ["r1"]


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


def test_a_full_disk_refuses_the_row_and_the_rows_before_and_after_are_kept(tmp_path, monkeypatch):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])

    def no_space(fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(os, "fdatasync", no_space)
        with pytest.raises(Unreachable, match="No space left"):
            writer.write("predictions", [prediction("r2")])
    writer.write("predictions", [prediction("r3")])
    assert ids(tmp_path) == ["r1", "r3"]


def test_writers_that_meet_share_one_sync_and_all_hear_of_its_failure(tmp_path, monkeypatch):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r0")])
    syncing, go = threading.Event(), threading.Event()
    syncs = []

    def slow_then_broken(fd):
        syncs.append(fd)
        syncing.set()
        assert go.wait(10)
        if len(syncs) == 2:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", slow_then_broken)
    errors = []

    def write(request_id):
        try:
            writer.write("predictions", [prediction(request_id)])
        except Unreachable as error:
            errors.append((request_id, error))

    first = threading.Thread(target=write, args=("first",))
    first.start()
    assert syncing.wait(10)
    others = [threading.Thread(target=write, args=(f"other{n}",)) for n in range(5)]
    for thread in others:
        thread.start()
    segment_writer = writer._writer("predictions", "m")
    while len(segment_writer._waiting) < 5:
        time.sleep(0)
    go.set()
    for thread in (first, *others):
        thread.join(10)
    assert len(syncs) == 2
    assert sorted(request_id for request_id, _ in errors) == [f"other{n}" for n in range(5)]
    monkeypatch.undo()
    writer.write("predictions", [prediction("after")])
    assert ids(tmp_path) == ["r0", "first", "after"]


CHILD = """
import os, sys, threading
from pathlib import Path
from homeostat.storage.records import FileRecords
from homeostat.testing.contracts.records import prediction
records = FileRecords(Path(sys.argv[1]), writer_id="worker-0", segment_bytes=2000)
if sys.argv[2] == "compact":
    while True:
        records.compact()
def write(thread):
    for number in range(10**9):
        records.write("predictions", [prediction(f"{os.getpid()}-{thread}-{number}")])
        os.write(1, f"{os.getpid()}-{thread}-{number}\\n".encode())
for thread in range(3):
    threading.Thread(target=write, args=(thread,)).start()
"""


@pytest.mark.parametrize("seed", range(2))
def test_processes_killed_while_writing_and_compacting_lose_and_double_nothing(tmp_path, seed):
    acknowledged = []
    for _ in range(2):
        command = [sys.executable, "-c", CHILD, str(tmp_path)]
        compactor = subprocess.Popen([*command, "compact"])
        writer = subprocess.Popen([*command, "write"], stdout=subprocess.PIPE, text=True)
        acknowledged += [writer.stdout.readline().strip() for _ in range(200 + 37 * seed)]
        compactor.send_signal(signal.SIGKILL)
        writer.send_signal(signal.SIGKILL)
        acknowledged += writer.stdout.read().split("\n")[:-1]
        assert (writer.wait(10), compactor.wait(10)) == (-9, -9)
        writer.stdout.close()
    shown = ids(tmp_path)
    assert len(shown) == len(set(shown))
    assert set(acknowledged) <= set(shown)
    opened(tmp_path).compact()
    assert files(tmp_path) == []
    assert ids(tmp_path) == shown
    assert sorted(pl.read_delta(str(tmp_path / "tables/predictions/m"))["request_id"]) == sorted(shown)


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


def test_a_writer_id_that_is_no_file_name_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="writer id"):
        FileRecords(tmp_path, writer_id="../w")


def test_a_folder_that_delta_rs_would_write_elsewhere_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="percent sign"):
        opened(tmp_path / "100%25")


def test_reading_a_hundred_thousand_predictions_takes_less_than_half_a_second(tmp_path):
    writer = opened(tmp_path)
    for block in range(20):
        writer.write("predictions", [prediction(f"{block}-{n}", received=NOW) for n in range(5000)])
    writer.seal()
    writer.compact()
    writer.read("predictions", "m")
    spent = []
    for _ in range(3):
        start = time.perf_counter()
        frame = writer.read("predictions", "m")
        spent.append(time.perf_counter() - start)
    assert frame.height == 100_000
    assert min(spent) < 0.5


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
