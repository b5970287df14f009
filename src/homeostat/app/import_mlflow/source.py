"""What an MLflow store holds, as our own nouns with the store's own ids and addresses."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from homeostat.core.errors import InvalidInput, NotFound
from homeostat.core.records import Experiment, LoggedModel, ModelVersion, Point, RegisteredModel, RunDetail
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


def open_source(where: str, *, artifacts_root: Path | None = None) -> MlflowSource:
    """Open a server by its URL, a database by its path or sqlite:/// URL, or a folder `mlruns`."""
    scheme = urlsplit(where).scheme
    if scheme in ("http", "https"):
        from homeostat.app.import_mlflow.rest import RestSource

        return RestSource(where)
    if scheme == "sqlite":
        return _sqlite(Path(unquote(where.removeprefix("sqlite:///"))), artifacts_root)
    if scheme and scheme != "file" and "://" in where:
        raise InvalidInput(
            f"'{scheme}://' is not a store that can be read directly",
            hint="start `mlflow server` on it and give its URL: homeostat import mlflow --from http://127.0.0.1:5000",
        )
    path = Path(unquote(where.removeprefix("file://")))
    if path.is_dir():
        from homeostat.app.import_mlflow.folder import FolderSource

        return FolderSource(path, artifacts_root=artifacts_root)
    return _sqlite(path, artifacts_root)


def _sqlite(path: Path, artifacts_root: Path | None) -> MlflowSource:
    from homeostat.app.import_mlflow.database import SqliteSource

    if not path.is_file():
        raise NotFound(f"no MLflow store at '{path}'", hint="give a URL, the path of a SQLite file, or a folder mlruns")
    return SqliteSource(path, artifacts_root=artifacts_root)


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
