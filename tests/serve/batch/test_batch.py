"""Batches: the same answers as the model gives, whatever the files, the chunks and the kills."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from tests.serve.batch.packages import rows, write

from homeostat.core.errors import Conflict, InvalidInput, InvalidRows
from homeostat.serve.batch.batch import Order, begun_version, run_batch
from homeostat.serve.batch.executor import Executor, Model
from homeostat.serve.batch.executors import executors
from homeostat.serve.batch.inputs import files_of
from homeostat.serve.batch.parts import Parts
from homeostat.train.package import predict, read_package

HERE = executors()["here"]


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return write(tmp_path_factory.mktemp("model") / "package")


def order(folder, *files, on_bad="fail", rows=100, version=3):
    return Order(
        files=tuple(folder / file for file in files),
        output=folder / "out.parquet",
        asked="churn@champion",
        model="churn",
        version=version,
        run_id="run",
        on_bad=on_bad,
        rows=rows,
    )


def expected(package, frame):
    return predict(read_package(package), frame.select("x", "n", "y"))


@pytest.mark.parametrize("size", [37, 100, 250, 1000])
def test_the_answers_are_the_models_whatever_the_chunks(tmp_path, package, size):
    frame = rows(250)
    frame.write_parquet(tmp_path / "a.parquet")
    frame.write_csv(tmp_path / "a.csv")
    wanted = expected(package, frame)
    for file in ("a.parquet", "a.csv"):
        done = run_batch(order(tmp_path, file, rows=size), Model(folder=package), HERE)
        out = pl.read_parquet(tmp_path / "out.parquet")
        assert done.rows == 250
        assert out.select(frame.columns).equals(frame)
        assert out["prediction"].to_list() == wanted.labels.tolist()
        assert out["score_yes"].to_list() == wanted.scores[:, 1].tolist()
        assert not (tmp_path / "out.parquet.parts").exists()


def test_the_output_says_which_version_answered(tmp_path, package):
    rows(10).write_parquet(tmp_path / "a.parquet")
    run_batch(order(tmp_path, "a.parquet"), Model(folder=package), HERE)
    told = pq.read_schema(tmp_path / "out.parquet").metadata
    assert (told[b"homeostat.model"], told[b"homeostat.version"], told[b"homeostat.run_id"]) == (b"churn", b"3", b"run")


def test_a_glob_gives_its_files_in_the_order_of_their_names(tmp_path, package):
    frame = rows(60)
    frame[30:].write_parquet(tmp_path / "b.parquet")
    frame[:30].write_parquet(tmp_path / "a.parquet")
    files = files_of("*.parquet", root=tmp_path)
    run_batch(order(tmp_path, *[file.name for file in files], rows=20), Model(folder=package), HERE)
    assert pl.read_parquet(tmp_path / "out.parquet")["id"].to_list() == frame["id"].to_list()


def spoiled(folder: Path) -> Path:
    lines = rows(40).write_csv().splitlines()
    lines[5] = "c4,many,3,1.0"  # row 5
    lines[8] = "c7,0.5"  # row 8: too few fields
    lines[12] = "c11,0.5,1.5,"  # row 12: not a whole number
    lines[40] = "c39,0.5,1,2.0,extra"  # row 40
    path = folder / "bad.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_bad_row_is_named_by_file_row_and_field(tmp_path, package):
    spoiled(tmp_path)
    with pytest.raises(InvalidRows) as caught:
        run_batch(order(tmp_path, "bad.csv", rows=7), Model(folder=package), HERE)
    assert "'bad.csv', row 5: field 'x': expected a finite number, found 'many'" in caught.value.message
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("size", [7, 12, 36, 40])
def test_bad_rows_are_set_aside_when_asked_for(tmp_path, package, size):
    spoiled(tmp_path)
    done = run_batch(order(tmp_path, "bad.csv", on_bad="skip", rows=size), Model(folder=package), HERE)
    rejects = [json.loads(line) for line in (tmp_path / "out.parquet.rejects.jsonl").read_text().splitlines()]
    assert (done.rows, done.rejected) == (36, 4)
    assert sorted(each["row"] for each in rejects) == [5, 8, 12, 40]
    assert {each["row"]: each["problems"][0]["field"] for each in rejects} == {5: "x", 8: None, 12: "n", 40: None}
    kept = pl.read_parquet(tmp_path / "out.parquet")["id"].to_list()
    assert kept == [f"c{at}" for at in range(40) if at + 1 not in (5, 8, 12, 40)]


def test_a_null_where_none_may_be_is_a_bad_row(tmp_path, package):
    rows(5).with_columns(x=pl.Series([1.0, None, 2.0, float("inf"), 3.0])).write_parquet(tmp_path / "a.parquet")
    done = run_batch(order(tmp_path, "a.parquet", on_bad="skip"), Model(folder=package), HERE)
    assert (done.rows, done.rejected) == (3, 2)


def test_a_missing_column_is_told_with_near_names(tmp_path, package):
    rows(5).rename({"x": "xx"}).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="has no column 'x'"):
        run_batch(order(tmp_path, "a.parquet"), Model(folder=package), HERE)


def test_files_with_other_columns_are_refused(tmp_path, package):
    rows(5).write_parquet(tmp_path / "a.parquet")
    rows(5).drop("id").write_parquet(tmp_path / "b.parquet")
    with pytest.raises(InvalidInput, match=r"'b.parquet' does not have the columns"):
        run_batch(order(tmp_path, "a.parquet", "b.parquet"), Model(folder=package), HERE)


@pytest.mark.parametrize("content", [b"", b"PAR1 nonsense", b"id,x,n,y\n"])
def test_files_that_are_none_are_refused(tmp_path, package, content):
    for name in ("a.parquet", "a.csv"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InvalidInput):
            run_batch(order(tmp_path, name), Model(folder=package), HERE)
        assert not (tmp_path / "out.parquet").exists()


class Broke(RuntimeError):
    pass


def breaking(after: int) -> Executor:
    def run(model, chunks):
        for done, scored in enumerate(HERE.run(model, chunks)):
            if done == after:
                raise Broke
            yield scored

    return Executor(name="breaking", run=run)


def test_what_was_done_is_not_done_again(tmp_path, package):
    rows(500).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(Broke):
        run_batch(order(tmp_path, "a.parquet"), Model(folder=package), breaking(after=3))
    assert begun_version(tmp_path / "out.parquet", "churn@champion") == 3
    told = []
    done = run_batch(order(tmp_path, "a.parquet"), Model(folder=package), HERE, tell=told.append)
    assert done.resumed == 3
    assert told == [100, 200, 300, 400, 500]
    assert pl.read_parquet(tmp_path / "out.parquet")["id"].to_list() == [f"c{at}" for at in range(500)]


def test_another_batch_does_not_go_on_with_what_this_one_did(tmp_path, package):
    rows(500).write_parquet(tmp_path / "a.parquet")
    with pytest.raises(Broke):
        run_batch(order(tmp_path, "a.parquet"), Model(folder=package), breaking(after=3))
    with pytest.raises(Conflict, match="other: version"):
        run_batch(order(tmp_path, "a.parquet", version=4), Model(folder=package), HERE)
    done = run_batch(order(tmp_path, "a.parquet", version=4), Model(folder=package), HERE, restart=True)
    assert (done.resumed, done.version) == (0, 4)


def test_two_processes_do_not_write_one_output(tmp_path, package):
    rows(5).write_parquet(tmp_path / "a.parquet")
    with Parts(tmp_path / "out.parquet").taken(), pytest.raises(Conflict, match="another process"):
        run_batch(order(tmp_path, "a.parquet"), Model(folder=package), HERE)


_PROGRAM = """
import resource, sys
from pathlib import Path
from homeostat.serve.batch.batch import Order, run_batch
from homeostat.serve.batch.executor import Model
from homeostat.serve.batch.executors import executors
package, folder, file, rows = sys.argv[1:]
order = Order(files=(Path(folder) / file,), output=Path(folder) / "out.parquet", asked="m", model="m", version=1, run_id="r", on_bad="fail", rows=int(rows))
done = run_batch(order, Model(folder=Path(package)), executors()["here"])
print(done.resumed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def program(package, folder, file, rows):
    return [sys.executable, "-c", _PROGRAM, str(package), str(folder), file, str(rows)]


def test_killed_in_the_middle_it_goes_on_where_it_was(tmp_path, package):
    frame = rows(4_000)
    frame.write_parquet(tmp_path / "a.parquet")
    command = program(package, tmp_path, "a.parquet", 50)
    parts = tmp_path / "out.parquet.parts"
    killed = subprocess.Popen(command)
    deadline = time.monotonic() + 60
    while len(list(parts.glob("*.parquet"))) < 5 and time.monotonic() < deadline:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert not (tmp_path / "out.parquet").exists()
    resumed = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[0])
    assert resumed >= 5
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out["id"].to_list() == frame["id"].to_list()
    assert out["prediction"].to_list() == expected(package, frame).labels.tolist()


@pytest.mark.long
def test_memory_does_not_grow_with_the_rows(tmp_path, package):
    peaks = []
    for count in (60_000, 600_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        rows(count).write_csv(folder / "a.csv")
        said = subprocess.run(
            program(package, folder, "a.csv", 20_000), check=True, capture_output=True, text=True
        ).stdout
        peaks.append(int(said.split()[1]))
    assert peaks[1] < peaks[0] * 1.25, f"peaks in kB: {peaks}"
