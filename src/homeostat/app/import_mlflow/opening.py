"""Opening the MLflow store that a user names."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from homeostat.app.import_mlflow.source import MlflowSource
from homeostat.core.errors import InvalidInput, NotFound


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
        raise NotFound(
            f"no MLflow store at '{path}'", hint="give --from a URL, the path of a SQLite file, or a folder mlruns"
        )
    return SqliteSource(path, artifacts_root=artifacts_root)
