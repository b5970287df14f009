import bz2
import gzip
import lzma
import time
import zipfile

import polars as pl
import pyarrow as pa
import pytest

from homeostat.core.errors import InvalidInput
from homeostat.data.sources import read
from homeostat.testing.contracts.sources import FRAME, SourceContract


def zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(raw)
    return sink.getvalue().to_pybytes()


class TestCsv(SourceContract):
    name = "csv"

    def write(self, frame, folder):
        frame.write_csv(folder / "t.csv")
        return "t.csv", None


def refused(tmp_path, raw: bytes, name: str = "t.csv") -> InvalidInput:
    (tmp_path / name).write_bytes(raw)
    with pytest.raises(InvalidInput) as caught:
        read(name, root=tmp_path)
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)]
)
def test_compressed_files_are_read(tmp_path, suffix, pack):
    (tmp_path / f"t.csv{suffix}").write_bytes(pack(FRAME.write_csv().encode()))
    assert read(f"t.csv{suffix}", root=tmp_path).equals(FRAME)


def test_a_zip_of_one_file_is_read_and_of_two_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", FRAME.write_csv())
    assert read("t.zip", root=tmp_path).equals(FRAME)
    with zipfile.ZipFile(tmp_path / "t.zip", "a") as archive:
        archive.writestr("b.csv", FRAME.write_csv())
    with pytest.raises(InvalidInput, match=r"2 files: a\.csv, b\.csv"):
        read("t.zip", root=tmp_path)


def test_a_cut_off_archive_is_named(tmp_path):
    assert "cannot be unpacked" in refused(tmp_path, gzip.compress(b"a,b\n" * 1000)[:-20], "t.csv.gz").message


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(tmp_path, separator):
    FRAME.write_csv(tmp_path / "t.csv", separator=separator)
    assert read("t.csv", root=tmp_path).equals(FRAME)


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbfa,b\n1,2\n")
    assert read("t.csv", root=tmp_path).columns == ["a", "b"]


def test_an_absent_file_is_named_with_its_neighbours(tmp_path):
    (tmp_path / "sales.csv").write_text("a\n1\n")
    with pytest.raises(InvalidInput, match=r"no file 'slaes\.csv'") as caught:
        read("slaes.csv", root=tmp_path)
    assert caught.value.hint == "did you mean 'sales.csv'?"
    with pytest.raises(InvalidInput, match="there is no folder"):
        read("nowhere/slaes.csv", root=tmp_path)


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_said_to_be_empty(tmp_path, raw):
    assert "is empty" in refused(tmp_path, raw).message


def test_a_header_alone_has_no_rows(tmp_path):
    assert refused(tmp_path, b"a,b\n").message == "'t.csv' has 2 columns and no rows"


def test_duplicate_names_are_refused_with_their_places(tmp_path):
    error = refused(tmp_path, b"a,b,a\n1,2,3\n")
    assert error.message == "'t.csv' names column 'a' 2 times (columns 1, 3)"


def test_a_nameless_column_is_refused(tmp_path):
    error = refused(tmp_path, b",a\n0,1\n")
    assert "column 1" in error.message
    assert "index=False" in error.hint


def test_latin_text_is_refused_with_place_and_remedy(tmp_path):
    error = refused(tmp_path, "a,b\n1,x\n2,caf\xe9\n".encode("latin-1"))
    assert error.message == "'t.csv' is not UTF-8: byte 0xe9 at offset 13 (line 3); it looks like WINDOWS-1252"
    assert error.hint.startswith("convert it: iconv -f WINDOWS-1252 -t UTF-8")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_recognised(tmp_path, encoding):
    assert "UTF-16" in refused(tmp_path, "a,b\n1,2\n".encode(encoding)).hint


def test_binary_is_not_text(tmp_path):
    assert "not text" in refused(tmp_path, b"abcdefgh\x00abcdefghi\n").message


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"a,b\n1,2\n3\n4,5\n", "line 3 of 't.csv' has 1 field, the header has 2"),
        (b"a,b\n1,2\n3,4,5\n6,7,8", "line 3 of 't.csv' has 3 fields, the header has 2 (1 more such lines)"),
        (b'a,b\n"1\n,",2\n3\n', "line 4 of 't.csv' has 1 field, the header has 2"),
    ],
)
def test_a_ragged_row_is_named_by_its_line(tmp_path, raw, told):
    assert refused(tmp_path, raw).message == told


def test_an_open_quote_is_refused(tmp_path):
    assert "t.csv" in refused(tmp_path, b'a,b\n"1,2\n3,4\n').message


def test_blank_lines_are_no_rows(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\r\n1,2\r\n\r\n3,4\r\n\r\n")
    assert read("t.csv", root=tmp_path).rows() == [(1, 2), (3, 4)]
    (tmp_path / "t.csv").write_bytes(b'a,b\n"1",2\n\n3,4\n')
    assert read("t.csv", root=tmp_path)["b"].to_list() == [2, 4]


def test_a_blank_line_of_a_single_column_is_a_missing_value(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a\n1\n\n3\n")
    assert read("t.csv", root=tmp_path)["a"].to_list() == [1, None, 3]


def test_numbers_after_words_do_not_fail_late(tmp_path):
    lines = ["a", *map(str, range(20_000)), "word"]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert read("t.csv", root=tmp_path)["a"].dtype == pl.String


def test_ten_thousand_columns_take_seconds(tmp_path):
    names = [f"c{n}" for n in range(10_000)]
    (tmp_path / "t.csv").write_text("\n".join([",".join(names), *[",".join(["1.5"] * 10_000)] * 20]))
    start = time.perf_counter()
    assert read("t.csv", root=tmp_path).shape == (20, 10_000)
    assert time.perf_counter() - start < 5
