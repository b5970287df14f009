"""The profile of a window: one sketch per column, written to bytes and read again, and put together with others."""

from collections.abc import Mapping
from typing import assert_never

import msgspec
import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.profile.answers import AnswerColumns, AnswerSketch, answer_sketch, merged_answers
from homeostat.watch.profile.category import CategorySketch, category_sketch, merged_categories
from homeostat.watch.profile.instant import TimeSketch, merged_times, time_sketch
from homeostat.watch.profile.numeric import NumberSketch, merged_numbers, number_sketch
from homeostat.watch.profile.text import TextSketch, merged_texts, text_sketch
from homeostat.watch.profile.vectors import VectorSketch, merged_vectors, vector_sketch

VERSION = 1

ColumnSketch = NumberSketch | CategorySketch | TimeSketch | TextSketch


class WindowProfile(msgspec.Struct, frozen=True, kw_only=True):
    """`rows` of the window, and its columns by name. `version` is that of the format: another is refused, never guessed at.

    `skipped` names columns that are there and have no profile, as lists and structs; `answers`: of a model, where columns hold some;
    `vectors`: columns of embeddings.
    """

    version: int = VERSION
    rows: int = 0
    columns: dict[str, ColumnSketch] = {}
    skipped: list[str] = []
    answers: AnswerSketch | None = None
    vectors: dict[str, VectorSketch] = {}

    @property
    def kinds(self) -> dict[str, Kind]:
        return {name: column.kind for name, column in self.columns.items()}

    @property
    def has_bins(self) -> bool:
        """Whether every column of numbers has bins: some value of it was seen, or others gave them."""
        said = [] if self.answers is None else [self.answers.said]
        numbers = [one for one in [*self.columns.values(), *said] if isinstance(one, NumberSketch)]
        return all(one.edges is not None for one in numbers) and all(one.has_bins for one in self.vectors.values())

    def with_bins(self) -> "WindowProfile":
        """Return the profile with one bin for each column of numbers that has none, so that parts made like it go together."""
        columns = {
            name: msgspec.structs.replace(column, edges=[], counts=[0])
            if isinstance(column, NumberSketch) and column.edges is None
            else column
            for name, column in self.columns.items()
        }
        answers = None if self.answers is None else self.answers.with_bins()
        vectors = {name: one.with_bins() for name, one in self.vectors.items()}
        return msgspec.structs.replace(self, columns=columns, answers=answers, vectors=vectors)

    def to_bytes(self) -> bytes:
        """Return it as JSON; the sketches' own bytes are in base64."""
        return msgspec.json.encode(self)

    @classmethod
    def from_bytes(cls, found: bytes) -> "WindowProfile":
        """Return the profile; raise InvalidInput where the bytes are none, or of another version."""
        try:
            head = msgspec.json.decode(found, type=_Head)
            if head.version == VERSION:
                return msgspec.json.decode(found, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InvalidInput(f"this is not a profile: {error}", hint="build it again from the rows") from error
        raise InvalidInput(
            f"a profile of version {head.version}, this Homeostat reads version {VERSION}",
            hint="build it again from the rows",
        )


class _Head(msgspec.Struct):
    version: int


def profile_of(
    frame: pl.DataFrame,
    kinds: Mapping[str, Kind],
    *,
    like: WindowProfile | None = None,
    answers: AnswerColumns | None = None,
    vectors: Mapping[str, int] | None = None,
) -> WindowProfile:
    """Return the profile of the columns of a frame that have a kind. Values that do not fit their kind are counted, never an error.

    `answers` says which columns hold a model's answers, else `like` does; a frame without these has no profile of answers.
    `vectors`: columns of embeddings and how many numbers each has, else those of `like`.
    Two profiles can be put together where their numeric bins are the same: those of `like`, else the quantiles of the frame itself.
    """
    known = {} if like is None else like.columns
    columns = {
        name: _sketched(frame[name], kind, known.get(name)) for name, kind in kinds.items() if name in frame.columns
    }
    before = None if like is None else like.answers
    roles = answers if answers is not None or before is None else before.columns
    is_there = roles is not None and all(name in frame.columns for name in roles.needed)
    said = answer_sketch(frame, roles, like=before) if roles is not None and is_there else None
    before_vectors = {} if like is None else like.vectors
    sizes = vectors if vectors is not None else {name: one.size for name, one in before_vectors.items()}
    sketched = {
        name: vector_sketch(frame[name], size, like=before_vectors.get(name))
        for name, size in sizes.items()
        if name in frame.columns
    }
    return WindowProfile(rows=frame.height, columns=columns, answers=said, vectors=sketched)


def merged(a: WindowProfile, b: WindowProfile) -> WindowProfile:
    """Return the profile of the rows of both. Order does not matter, up to the error of the sketches.

    Raise InvalidInput where their columns or bins are not the same.
    """
    ours, theirs = (each.columns.keys() | each.vectors.keys() for each in (a, b))
    if ours != theirs:
        odd = sorted(ours ^ theirs)
        raise InvalidInput(f"only one of two profiles has {', '.join(odd[:5])}", hint="profile the same columns")
    columns = {name: _merged(name, column, b.columns[name]) for name, column in a.columns.items()}
    return WindowProfile(
        rows=a.rows + b.rows,
        columns=columns,
        skipped=sorted({*a.skipped, *b.skipped}),
        answers=merged_answers(a.answers, b.answers),
        vectors={name: merged_vectors(one, b.vectors[name]) for name, one in a.vectors.items()},
    )


def _sketched(column: pl.Series, kind: Kind, like: ColumnSketch | None) -> ColumnSketch:
    match kind:
        case Kind.INTEGER | Kind.FLOAT:
            return number_sketch(column, kind, like=like if isinstance(like, NumberSketch) else None)
        case Kind.CATEGORY | Kind.BOOLEAN:
            return category_sketch(column, kind)
        case Kind.DATETIME:
            return time_sketch(column, kind)
        case Kind.TEXT:
            return text_sketch(column, kind)
        case _:
            assert_never(kind)


def _merged(name: str, a: ColumnSketch, b: ColumnSketch) -> ColumnSketch:
    match a, b:
        case NumberSketch(), NumberSketch():
            return merged_numbers(a, b)
        case CategorySketch(), CategorySketch():
            return merged_categories(a, b)
        case TimeSketch(), TimeSketch():
            return merged_times(a, b)
        case TextSketch(), TextSketch():
            return merged_texts(a, b)
        case _:
            raise InvalidInput(
                f"column '{name}' is {a.kind} in one profile and {b.kind} in the other", hint="profile both alike"
            )
