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
from tests.storage.record_files import files, ids, opened

from homeostat.core.errors import InvalidInput, Unreachable
from homeostat.storage.record_rows import line_of
from homeostat.storage.records import FileRecords
from homeostat.storage.segments import read_segment
from homeostat.testing.contracts.records import NOW, RecordsContract, prediction


class TestFileRecords(RecordsContract):
    def records(self, folder: Path) -> FileRecords:
        return FileRecords(folder / "records ü", writer_id="worker-0")


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


def test_a_tail_of_zeros_as_a_crash_leaves_it_is_no_block(tmp_path):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    writer.seal()
    (path,) = files(tmp_path)
    with path.open("ab") as file:
        file.write(bytes(4096))
    assert read_segment(path).torn_bytes == 4096
    assert ids(tmp_path) == ["r1"]


def test_a_write_that_is_broken_off_holds_nobody_up_and_leaves_no_half(tmp_path, monkeypatch):
    writer = opened(tmp_path)
    writer.write("predictions", [prediction("r1")])
    real = os.fdatasync

    def without_memory(_fd):
        monkeypatch.setattr(os, "fdatasync", real)
        raise MemoryError

    monkeypatch.setattr(os, "fdatasync", without_memory)
    with pytest.raises(MemoryError):
        writer.write("predictions", [prediction("r2")])
    writer.write("predictions", [prediction("r3")])
    assert ids(tmp_path) == ["r1", "r3"]


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


def test_who_answers_never_waits_for_the_disk_where_segments_fill_up(tmp_path, monkeypatch):
    """Full segments and the names of new ones are synced by the thread that syncs, each before it is closed."""
    writer = opened(tmp_path, segment_bytes=1)
    synced: list[tuple[str, str]] = []

    def noted(of):
        def sync(fd):
            synced.append((threading.current_thread().name, str(Path(f"/proc/self/fd/{fd}").resolve())))
            of(fd)

        return sync

    monkeypatch.setattr(os, "fdatasync", noted(os.fdatasync))
    monkeypatch.setattr(os, "fsync", noted(os.fsync))
    for n in range(20):
        line = line_of("predictions", prediction(f"r{n}"), seq=n)
        writer.submit("m", line, lambda error: None)
    mine = threading.current_thread().name
    assert mine not in {thread for thread, _ in synced}
    assert len(files(tmp_path)) == 20
    writer.close()
    (folder,) = {path.parent for path in files(tmp_path)}
    assert {str(path.resolve()) for path in [folder, *files(tmp_path)]} <= {path for _, path in synced}
    assert ids(tmp_path) == [f"r{n}" for n in range(20)]
    assert opened(tmp_path).compact() == 20


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
