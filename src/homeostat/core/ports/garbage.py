"""What was deleted, and the end of it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.garbage import Deleted


class GarbageStore(Protocol):
    """What was deleted at or before a time, and the end of it. An experiment that goes takes all that is in it."""

    def runs(self, *, before: datetime) -> list[Deleted]: ...
    def logged_models(self, *, before: datetime) -> list[Deleted]: ...
    def experiments(self, *, before: datetime) -> list[Deleted]: ...
    def remove_runs(self, run_ids: Sequence[str]) -> None: ...
    def remove_logged_models(self, model_ids: Sequence[str]) -> None: ...
    def remove_experiment(self, experiment_id: str) -> int:
        """Delete an experiment that has no runs and logged models any more; return how many traces went with it."""

    def named(self) -> set[str]:
        """Return every address and blob that something names."""

    def versions_at(self) -> dict[str, str]:
        """Return the blob of each registered version, and the version as name/number."""

    def known(self, ids: Iterable[str]) -> set[str]:
        """Return those that are ids of runs, logged models or traces."""
