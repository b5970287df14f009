"""A column of free text as a profile: how long the texts are, which words they use, and a histogram of their letters."""

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.watch.profile.category import CategorySketch, as_words, category_sketch, merged_categories
from homeostat.watch.profile.numeric import NumberSketch, merged_numbers, number_sketch

BUCKETS = 256
_LENGTHS = (
    0.0,
    1.0,
    2.0,
    4.0,
    8.0,
    12.0,
    16.0,
    24.0,
    32.0,
    48.0,
    64.0,
    96.0,
    128.0,
    256.0,
    512.0,
    1024.0,
    4096.0,
    16384.0,
    65536.0,
)
_MIX = (np.uint32(0x9E3779B1), np.uint32(0x85EBCA77), np.uint32(0xC2B2AE3D))


class TextSketch(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """`lengths` in characters, `tokens`: the words (split at blanks, lower case), `grams`: three bytes in a row, hashed to 256 places.

    Words and texts are counted in two sketches of bounded size; the hash does not depend on the process or the machine.
    """

    kind: Kind
    rows: int
    nulls: int
    lengths: NumberSketch
    tokens: CategorySketch
    grams: list[int]

    def unseen_share(self, reference: "TextSketch") -> float:
        """Return the share of words that the reference does not name; words that it folded together count as seen.

        Where it met more than 2,000 words, only the excess over what it could not name itself counts.
        """
        ours, theirs = self.tokens, reference.tokens
        if not ours.rows or not theirs.rows:
            return 0.0
        named = sum(count for token, count in ours.counts.items() if token in theirs.counts)
        folded = 1.0 - sum(theirs.counts.values()) / theirs.rows
        return max(0.0, 1.0 - named / ours.rows - folded)


def text_sketch(column: pl.Series, kind: Kind) -> TextSketch:
    """Return the profile of a column of texts."""
    texts = as_words(column)
    present = texts.drop_nulls()
    tokens = present.str.to_lowercase().str.split(" ").explode()
    tokens = tokens.filter(tokens.str.len_chars() > 0)
    lengths = number_sketch(
        present.str.len_chars(), Kind.INTEGER, like=NumberSketch(kind=Kind.INTEGER, edges=list(_LENGTHS))
    )
    return TextSketch(
        kind=kind,
        rows=len(column),
        nulls=column.null_count(),
        lengths=lengths,
        tokens=category_sketch(tokens, Kind.CATEGORY),
        grams=_grams(present).tolist(),
    )


def merged_texts(a: TextSketch, b: TextSketch) -> TextSketch:
    """Return the profile of both."""
    return TextSketch(
        kind=a.kind,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        lengths=merged_numbers(a.lengths, b.lengths),
        tokens=merged_categories(a.tokens, b.tokens),
        grams=[x + y for x, y in zip(a.grams, b.grams, strict=True)],
    )


def _grams(texts: pl.Series) -> npt.NDArray[np.int64]:
    """Return how many runs of three bytes of the texts fall in each bucket; none reaches over the end of a text."""
    joined = np.frombuffer("\0".join(texts.to_list()).encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(
        np.uint32
    )
    if len(joined) < 3:
        return np.zeros(BUCKETS, dtype=np.int64)
    parts = (joined[:-2], joined[1:-1], joined[2:])
    within = (parts[0] != 0) & (parts[1] != 0) & (parts[2] != 0)
    mixed = parts[0] * _MIX[0] ^ parts[1] * _MIX[1] ^ parts[2] * _MIX[2]
    found: npt.NDArray[np.int64] = np.bincount((mixed[within] >> 24).astype(np.int64), minlength=BUCKETS)
    return found
