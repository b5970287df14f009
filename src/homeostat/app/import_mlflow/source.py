"""What an MLflow store holds, as our own nouns with the store's own ids and addresses."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Protocol

from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.records.tracking import Experiment, LoggedModel, Point, RunDetail
from homeostat.core.traces import Span, Trace

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MlflowSource(Protocol):
    """`artifacts` of what comes from here are the store's own addresses; `files` and `read` take those."""

    @property
    def name(self) -> str:
        """Return where this is, for messages and to know it again."""

    def experiments(self) -> Iterable[Experiment]: ...
    def runs(self, experiment_id: str) -> Iterable[RunDetail]: ...
    def points(self, run: RunDetail) -> Iterator[Point]:
        """Yield every point of every metric of the run."""

    def logged_models(self, experiment_id: str) -> Iterable[LoggedModel]: ...
    def models(self) -> Iterable[RegisteredModel]: ...
    def versions(self, model: str) -> Iterable[ModelVersion]:
        """Return the versions; `location` is where the files are, as far as the store says."""

    def aliases(self, model: str) -> Mapping[str, int]: ...
    def traces(self, experiment_id: str) -> Iterator[tuple[Trace, list[Span]]]: ...
    def files(self, uri: str) -> list[tuple[str, int]]:
        """Return (relative path, size) of every file below an address; raise Unreachable where it cannot be read from here."""

    def read(self, uri: str, path: str) -> Iterator[bytes]: ...
    def close(self) -> None: ...


def time_of(milliseconds: int | None) -> datetime:
    """Return the time; 1970 where there is none."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds or 0)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def time_or_none(milliseconds: int | None) -> datetime | None:
    return None if not milliseconds else time_of(milliseconds)


def model_id_in(source: str) -> str:
    """Return the logged model that a version's source names, empty where it names none.

    >>> model_id_in("models:/m-" + "0" * 32)[:4], model_id_in("runs:/x/model")
    ('m-00', '')
    """
    rest = source.removeprefix("models:/").strip("/")
    return rest if source.startswith("models:/m-") and "/" not in rest else ""
