"""What was answered and what turned out true."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.errors import HomeostatError
from homeostat.core.values import Frame, Json


class RecordLog(Protocol):
    """What was answered and what turned out true: append-only, durable when the call returns."""

    def write(self, kind: str, rows: Sequence[Json]) -> None:
        """Append rows of kind 'predictions' or 'labels'."""

    def submit(self, model: str, lines: bytes, done: Callable[[HomeostatError | None], None]) -> None:
        """Append encoded lines to the predictions; `done` is called, in any thread, when they are durable or were refused."""

    def close(self) -> None:
        """Put on the disk what was promised to be there, and write no more."""

    def stamps(self, count: int) -> int:
        """Return the first of so many consecutive numbers that order lines."""

    def read(
        self,
        kind: str,
        model: str,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        columns: Sequence[str] | None = None,
        share: float = 1.0,
        of: Frame | None = None,
    ) -> Frame:
        """Return all rows (compacted and not yet), received from `since` to `until`, both inside, in order of receipt, ids not repeated.

        `share` < 1, of predictions: those of about so many of the keys, or of the requests where rows have none, drawn so that any call draws
        the same and a greater share has all of a smaller one; what was written last may not be there yet. `of`: labels that name a request or a key
        of these predictions.
        """

    def count(self, kind: str, model: str, *, since: datetime | None = None) -> int:
        """Return about how many rows `read` would, without reading them."""

    def stamp(self, model: str) -> str:
        """Return what changes whenever a row of the model is written: while it stays, `read` gives what it gave. Costs next to nothing."""

    def is_due(self) -> bool:
        """Return whether `compact` has something to move."""

    def unmoved_bytes(self) -> int:
        """Return the size of what is not in tables yet, of all models."""

    def compact(self) -> int:
        """Move closed write-ahead segments into tables, exactly once; return the number of rows moved."""

    def erase(self, model: str, keys: Sequence[str]) -> dict[str, int]:
        """Remove the rows of some keys and their labels for good; return the numbers by kind. Conflict where that cannot be done now."""

    def drop_before(self, model: str, moment: datetime) -> dict[str, int]:
        """Remove the rows received before a moment for good; return the numbers by kind. Conflict where that cannot be done now."""
