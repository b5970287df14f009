"""Many files at once: every file that matches a pattern, in the order of their names, with the same columns."""

from pathlib import Path, PurePosixPath

import polars as pl

from homeostat.core.errors import InvalidInput
from homeostat.data.source import Ask, Source, unreachable


def read(ask: Ask) -> pl.DataFrame:
    from homeostat.data.sources import read as read_one

    names = _remote_matches(ask) if ask.is_remote else _local_matches(ask)
    if not names:
        raise InvalidInput(f"no file matches '{ask.uri}'", hint=f"check the pattern; paths start at {ask.root}")
    frames = {name: read_one(name, root=ask.root) for name in names}
    first, *others = names
    for name in others:
        _refuse_other_columns(first, frames[first], name, frames[name])
    types = {column: _common_type(column, frames) for column in frames[first].columns}
    return pl.concat(
        frames[name].select(pl.col(column).cast(dtype) for column, dtype in types.items()) for name in names
    )


def _refuse_other_columns(first: str, known: pl.DataFrame, name: str, frame: pl.DataFrame) -> None:
    missing = [column for column in known.columns if column not in frame.columns]
    extra = [column for column in frame.columns if column not in known.columns]
    if missing or extra:
        told = [
            f"{word} {', '.join(map(repr, some[:5]))}" for word, some in (("lacks", missing), ("adds", extra)) if some
        ]
        raise InvalidInput(
            f"'{name}' does not have the columns of '{first}': it {' and '.join(told)}",
            hint="make the files agree, or narrow the pattern",
        )


def _common_type(column: str, frames: dict[str, pl.DataFrame]) -> pl.DataType:
    """Return the type that holds the column of every file; one without values (text, to a CSV parser) agrees with any."""
    first = None
    for name, frame in frames.items():
        dtype = frame.schema[column]
        if frame[column].null_count() == frame.height:
            continue
        if first is None:
            first, common = name, dtype
        elif dtype != common:
            if not (dtype.is_numeric() and common.is_numeric()):
                raise InvalidInput(
                    f"column '{column}' is {dtype} in '{name}', but {common} in '{first}'",
                    hint="make the files agree, or narrow the pattern",
                )
            common = pl.Int64() if dtype.is_integer() and common.is_integer() else pl.Float64()
    return common if first is not None else next(iter(frames.values())).schema[column]


def _local_matches(ask: Ask) -> list[str]:
    from glob import glob

    found = glob(str(ask.path), recursive=True)  # noqa: PTH207 - Path.glob wants the fixed part split off
    return sorted(name for name in found if Path(name).is_file())


def _remote_matches(ask: Ask) -> list[str]:
    from pyarrow import fs

    scheme, rest = ask.uri.split("://", 1)
    fixed = rest[: min(rest.find(mark) for mark in "*?[" if mark in rest)].rpartition("/")[0]
    try:
        store, base = fs.FileSystem.from_uri(f"{scheme.replace('s3a', 's3')}://{fixed}")
        found = store.get_file_info(fs.FileSelector(base, recursive=True))
    except OSError as error:
        raise unreachable(ask, error) from error
    depth = len(PurePosixPath(rest).parts)
    return sorted(
        f"{scheme}://{info.path}"
        for info in found
        if info.type == fs.FileType.File
        and PurePosixPath(info.path).match(rest)
        and ("**" in rest or len(PurePosixPath(info.path).parts) == depth)
    )


def _claims(ask: Ask) -> bool:
    return ask.is_file and any(mark in ask.uri for mark in "*?[")


SOURCE = Source(name="glob", looks_like="a glob ('folder/*.parquet')", claims=_claims, read=read)
