import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import polars as pl
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.storage.tables.delta import DeltaTables
from homeostat.testing.contracts.tables import TablesContract, rows


class TestDeltaTables(TablesContract):
    def tables(self, tmp_path: Path) -> DeltaTables:
        return DeltaTables(tmp_path / "tables ü")

    def test_types_that_delta_lacks_are_kept_as_near_as_can_be(self, tmp_path):
        store = self.tables(tmp_path)
        frame = pl.DataFrame(
            {"big": [2**64 - 1], "small": [1], "cat": ["x"], "none": [None]},
            schema={"big": pl.UInt64, "small": pl.UInt8, "cat": pl.Categorical, "none": pl.Null},
        )
        store.append("t", frame)
        assert store.read("t").to_dicts() == [{"big": float(2**64 - 1), "small": 1, "cat": "x", "none": None}]

    def test_names_that_differ_in_case_are_refused_and_nothing_is_written(self, tmp_path):
        store = self.tables(tmp_path)
        with pytest.raises(InvalidInput, match="'a' and 'A'"):
            store.append("t", pl.DataFrame({"a": [1], "A": [2]}))
        assert store.version("t") is None

    def test_a_folder_that_delta_rs_would_write_elsewhere_is_refused(self, tmp_path):
        with pytest.raises(InvalidInput, match="percent sign"):
            DeltaTables(tmp_path / "100%25")

    def test_the_parts_of_one_large_write_come_back_in_order(self, tmp_path):
        from deltalake import write_deltalake

        store = self.tables(tmp_path)
        store.append("t", pl.DataFrame({"a": [0]}))
        frame = pl.DataFrame({"a": range(1, 300_000)})
        write_deltalake(str(store.root / "t"), frame, mode="append", target_file_size=100_000)
        assert store.read("t")["a"].to_list() == list(range(300_000))

    def test_writers_in_threads_append_each_key_once(self, tmp_path):
        def write():
            for n in range(5):
                self.tables(tmp_path).append("t", rows(n), key=str(n))

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(self.tables(tmp_path).read("t")["a"].to_list()) == [0, 1, 2, 3, 4]

    def test_a_killed_writer_leaves_whole_appends_and_its_keys(self, tmp_path):
        code = (
            "import sys; from pathlib import Path; import polars as pl\n"
            "from homeostat.storage.tables.delta import DeltaTables\n"
            "store = DeltaTables(Path(sys.argv[1]))\n"
            "for n in range(1000):\n"
            "    store.append('t', pl.DataFrame({'a': [n, n]}), key=str(n)); print(n, flush=True)\n"
        )
        child = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "tables ü")], stdout=subprocess.PIPE)
        assert child.stdout is not None
        for _ in range(4):
            last = int(child.stdout.readline())
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        store = self.tables(tmp_path)
        assert store.read("t")["a"].to_list()[: 2 * last + 2] == [n for n in range(last + 1) for _ in range(2)]
        for n in range(last + 3):
            store.append("t", rows(n, n), key=str(n))
        assert sorted(store.read("t")["a"].to_list())[: 2 * last + 6] == [n for n in range(last + 3) for _ in range(2)]
