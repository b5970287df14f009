"""Where versions of the data are known, and their rows kept."""

from typing import Protocol

from homeostat.core.records.data import DatasetVersion, QuarantinedBatch
from homeostat.core.values import Frame, Json


class DatasetStore(Protocol):
    def add(self, version: DatasetVersion) -> None: ...
    def latest(self, dataset: str) -> DatasetVersion | None: ...
    def get(self, dataset: str, version: int) -> DatasetVersion: ...
    def by_key(self, dataset: str, key: str) -> DatasetVersion | None: ...
    def versions(self, dataset: str) -> list[DatasetVersion]: ...
    def contract(self, dataset: str) -> Json | None: ...
    def set_contract(self, dataset: str, contract: Json) -> None: ...
    def quarantine(self, batch: QuarantinedBatch) -> None:
        """Insert the batch, or replace its state where it is known."""

    def quarantined(self, dataset: str | None = None) -> list[QuarantinedBatch]: ...
    def quarantined_batch(self, batch_id: str) -> QuarantinedBatch: ...


class TableStore(Protocol):
    """Versioned tables of rows (Delta Lake)."""

    def append(self, table: str, frame: Frame, *, key: str | None = None, note: Json | None = None) -> int:
        """Append rows, creating the table when new, and return its version.

        With a `key` that an earlier append used, nothing is written and that append's version is returned.
        New columns are added (older rows read null).
        """

    def read(self, table: str, *, version: int | None = None) -> Frame: ...
    def version(self, table: str) -> int | None:
        """Return the newest version, None where there is no such table."""

    def restore(self, table: str, version: int | None) -> None:
        """Put the table back to a version (None: drop it); used to undo an append whose metadata did not commit."""
