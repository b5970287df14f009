"""What an executor is: it answers chunks, in their order, wherever it does so."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from homeostat.core.columns import Signature
from homeostat.serve.batch.inputs import Chunk
from homeostat.serve.batch.scoring import Scored


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A package's folder, and its signature where the package does not say it."""

    folder: Path
    signature: Signature | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """`run` yields what each chunk became, in order, holding no more than a few of them at once."""

    name: str
    run: Callable[[Model, Iterator[Chunk]], Iterator[Scored]]
