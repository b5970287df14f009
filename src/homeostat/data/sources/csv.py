"""CSV files, plain or compressed (.gz, .zst, .bz2, .xz, .zip with one member).

The separator is the one of `,` `;` tab `|` that the header holds most of. Text must be UTF-8. Every row must have as many
fields as the header: a shorter one would be filled with nulls by the parser, and its values might stand in the wrong columns.
"""

import csv
import io
from collections import Counter

import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.data.source import Ask, Source, content
from homeostat.data.text import decompressed, refuse_not_utf8, uneven_lines

_SUFFIXES = (".csv", ".tsv", ".txt", ".data")
_COMPRESSED = ("", ".gz", ".zst", ".bz2", ".xz", ".zip")
_SEPARATORS = ",;\t|"
_UTF8_MARK = b"\xef\xbb\xbf"


def read(ask: Ask) -> pl.DataFrame:
    raw = decompressed(content(ask), name=ask.uri)
    text = raw.removeprefix(_UTF8_MARK)
    if not text.strip():
        raise InvalidInput(f"'{ask.uri}' is empty", hint="write the data again, with a header line")
    refuse_not_utf8(text, name=ask.uri)
    separator = _separator(text)
    header = _header(text, separator, name=ask.uri)
    _refuse_bad_names(header, name=ask.uri)
    blank = uneven_lines(text, separator, fields=len(header), name=ask.uri)
    try:
        frame = pl.read_csv(text, separator=separator, infer_schema_length=None)
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise InvalidInput(
            f"'{ask.uri}' is not well-formed CSV: {reason}",
            hint="look for a quote that is not closed, or write the file as Parquet",
        ) from error
    if blank and len(header) > 1:
        frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    return frame


def _first_line(text: bytes) -> str:
    return text[: text.find(b"\n") if b"\n" in text else len(text)].decode("utf-8", errors="replace")


def _separator(text: bytes) -> str:
    outside_quotes = "".join(_first_line(text).split('"')[::2])
    counts = {separator: outside_quotes.count(separator) for separator in _SEPARATORS}
    return max(counts, key=lambda separator: counts[separator])


def _header(text: bytes, separator: str, *, name: str) -> list[str]:
    lines = io.TextIOWrapper(io.BytesIO(text), encoding="utf-8", newline="")
    try:
        return next(csv.reader(lines, delimiter=separator))
    except csv.Error as error:
        raise InvalidInput(f"the header of '{name}' cannot be read: {error}", hint="check the first line") from error


def _refuse_bad_names(header: list[str], *, name: str) -> None:
    nameless = [str(place) for place, column in enumerate(header, 1) if not column.strip()]
    if nameless:
        raise InvalidInput(
            f"'{name}' has no name in its header for column {', '.join(nameless[:10])}",
            hint="name it, or leave it out (pandas: `to_csv(..., index=False)`)",
        )
    twice = [column for column, count in Counter(header).items() if count > 1]
    if twice:
        places = [str(place) for place, column in enumerate(header, 1) if column == twice[0]]
        others = f", and {len(twice) - 1} more names likewise" if len(twice) > 1 else ""
        raise InvalidInput(
            f"'{name}' names column '{twice[0]}' {len(places)} times (columns {', '.join(places[:10])}){others}",
            hint="give each column its own name",
        )


def _claims(ask: Ask) -> bool:
    path = ask.uri.lower()
    is_csv = any(path.endswith(suffix + packed) for suffix in _SUFFIXES for packed in _COMPRESSED)
    is_zip = path.endswith(".zip")
    return ask.is_file and (is_csv or is_zip) and not any(mark in ask.uri for mark in "*?[")


SOURCE = Source(
    name="csv", looks_like="a CSV file (.csv, .tsv, .txt; plain, .gz, .zst, .bz2, .xz, .zip)", claims=_claims, read=read
)
