"""A column of embeddings as a profile: mean and covariance, 64 random projections, and a sample of 2,000 vectors."""

import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.profile.directions import Directions, directions_of, merged_directions
from homeostat.watch.profile.numeric import NumberSketch, merged_numbers, number_sketch
from homeostat.watch.sample import Floats

PROJECTIONS = 64
SAMPLE = 2_000
LARGEST = 16_384  # numbers in a vector
_SEED = 20_170_601


class VectorSketch(msgspec.Struct, frozen=True, kw_only=True):
    """`size`: how many numbers a vector has. Of `rows`, `nulls` hold nothing, `misshapen` another number of numbers, `spoilt` one that is null or not finite.

    The rest is in `directions`, in `projections` (64, on random signs divided by the root of the size: D. Achlioptas 2003, "Database-friendly random
    projections", JCSS 66; the same for all vectors of a size), and in the `sample`: those 2,000 vectors whose random `keys` are least, so
    that the sample of a whole is the least of its parts' (E. Cohen and H. Kaplan 2007, "Summarizing data using bottom-k sketches", PODC).
    `keys` (n,) are uint64 bytes, growing; `sample` (n, size) float32 bytes.
    """

    size: int
    rows: int = 0
    nulls: int = 0
    misshapen: int = 0
    spoilt: int = 0
    directions: Directions = Directions()
    projections: list[NumberSketch] = []
    keys: bytes = b""
    sample: bytes = b""

    @property
    def count(self) -> int:
        """How many vectors are whole."""
        return self.rows - self.nulls - self.misshapen - self.spoilt

    @property
    def has_bins(self) -> bool:
        return all(one.edges is not None for one in self.projections)

    def with_bins(self) -> "VectorSketch":
        """Return it with one bin for projections where no vector was seen yet, so that parts made like it go together."""
        if self.has_bins:
            return self
        binned = [msgspec.structs.replace(one, edges=[], counts=[0]) for one in self.projections]
        return msgspec.structs.replace(self, projections=binned)

    def sampled(self) -> Floats:
        """Return the sample, of shape (at most 2,000, size)."""
        return np.frombuffer(self.sample, dtype=np.float32).reshape(-1, self.size).astype(np.float64)


def vector_size(column: pl.Series) -> int | None:
    """Return how many numbers most of the vectors of a column hold; None for what holds no vectors.

    Vectors are lists of floats of one length in more than half of the rows, or arrays of numbers, with at most 16,384 numbers.
    """
    dtype = column.dtype
    if isinstance(dtype, pl.Array):
        size = dtype.size if len(dtype.shape) == 1 and dtype.inner.is_numeric() else 0
    elif isinstance(dtype, pl.List) and dtype.inner.is_float():
        sizes = column.list.len().drop_nulls()
        often = sizes.value_counts(sort=True) if len(sizes) else None
        size = 0 if often is None or 2 * often["count"][0] <= len(sizes) else int(often[sizes.name][0])
    else:
        size = 0
    return size if 0 < size <= LARGEST else None


def vector_sketch(column: pl.Series, size: int, *, like: VectorSketch | None = None) -> VectorSketch:
    """Return the profile of a column; rows that hold no vector of this size are counted, never an error. `like` gives the bins of the projections."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectors, nulls, misshapen, spoilt = _read(column, size)
    with threadpool_limits(1):
        projected = vectors @ signs(size)
    bins: Sequence[NumberSketch | None] = (
        like.projections if like is not None and like.projections else [None] * PROJECTIONS
    )
    keys = _keys(vectors)
    kept = np.argsort(keys, kind="stable")[:SAMPLE]
    return VectorSketch(
        size=size,
        rows=len(column),
        nulls=nulls,
        misshapen=misshapen,
        spoilt=spoilt,
        directions=directions_of(vectors.astype(np.float64)),
        projections=[
            number_sketch(pl.Series(projected[:, at].astype(np.float64)), Kind.FLOAT, like=bins[at])
            for at in range(PROJECTIONS)
        ],
        keys=keys[kept].tobytes(),
        sample=vectors[kept].tobytes(),
    )


def merged_vectors(a: VectorSketch, b: VectorSketch) -> VectorSketch:
    """Return the profile of both; raise InvalidInput where their vectors are of other sizes."""
    if a.size != b.size:
        raise InvalidInput(
            f"vectors of {a.size} and of {b.size} numbers cannot be put together", hint="profile both alike"
        )
    keys = np.concatenate([np.frombuffer(each.keys, dtype=np.uint64) for each in (a, b)])
    sample = np.concatenate([np.frombuffer(each.sample, dtype=np.float32).reshape(-1, a.size) for each in (a, b)])
    kept = np.argsort(keys, kind="stable")[:SAMPLE]
    return VectorSketch(
        size=a.size,
        rows=a.rows + b.rows,
        nulls=a.nulls + b.nulls,
        misshapen=a.misshapen + b.misshapen,
        spoilt=a.spoilt + b.spoilt,
        directions=merged_directions(a.directions, b.directions),
        projections=[merged_numbers(x, y) for x, y in zip(a.projections, b.projections, strict=True)],
        keys=keys[kept].tobytes(),
        sample=sample[kept].tobytes(),
    )


def signs(size: int) -> npt.NDArray[np.float32]:
    """Return the projections of vectors of a size, shape (size, 64). From raw bits, which no version of numpy draws otherwise.

    >>> signs(16)[:2, :3]
    array([[ 0.25, -0.25, -0.25],
           [-0.25,  0.25, -0.25]], dtype=float32)
    """
    words = np.random.PCG64(_SEED).random_raw(size).astype("<u8")
    bits = np.unpackbits(words.view(np.uint8).reshape(size, 8), axis=1, bitorder="little")
    return np.asarray((2.0 * bits - 1.0) / np.sqrt(size), dtype=np.float32)


def _read(column: pl.Series, size: int) -> tuple[npt.NDArray[np.float32], int, int, int]:
    """Return the whole vectors (n, size), and how many rows are null, of another length, and not finite."""
    nulls = column.null_count()
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not (isinstance(column.dtype, pl.List) and column.dtype.inner.is_numeric()):
        return np.empty((0, size), dtype=np.float32), nulls, len(column) - nulls, 0
    fitting = column.filter((column.list.len() == size).fill_null(value=False))
    flat = fitting.explode().cast(pl.Float32).fill_null(float("nan")).to_numpy()
    vectors = flat[: len(fitting) * size].reshape(len(fitting), size)
    is_finite = np.isfinite(vectors).all(axis=1)
    whole = np.ascontiguousarray(vectors if is_finite.all() else vectors[is_finite])
    return whole, nulls, len(column) - nulls - len(fitting), int(len(vectors) - len(whole))


def _keys(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.uint64]:
    """Return a random key for each vector. The seed is a hash of all: other for each part of a table, and the same in each run."""
    digest = hashlib.blake2b(vectors.tobytes(), digest_size=16).digest()
    return np.random.PCG64(int.from_bytes(digest, "little")).random_raw(len(vectors)).astype(np.uint64)
