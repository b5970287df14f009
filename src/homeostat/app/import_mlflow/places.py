"""Files at the addresses that MLflow's own stores write down."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from homeostat.core.errors import Unreachable

_PIECE_BYTES = 4 << 20
_PROXIED = "mlflow-artifacts"


class LocalPlaces:
    """Addresses that are folders of this machine. `base` is where relative paths start; `root` what mlflow-artifacts:/ stands for."""

    def __init__(self, base: Path, *, root: Path | None = None) -> None:
        self._base = base
        kept = (base / "mlartifacts", base / "mlruns")
        self._root = root or next((folder for folder in kept if folder.is_dir()), kept[0])

    def files(self, uri: str) -> list[tuple[str, int]]:
        folder = self._folder(uri)
        if not folder.is_dir():
            return []
        found = []
        for path in sorted(folder.rglob("*")):
            if path.is_symlink():
                raise Unreachable(f"'{path}' is a symbolic link", hint="replace it by the file itself, or delete it")
            if path.is_file():
                found.append((path.relative_to(folder).as_posix(), path.stat().st_size))
        return found

    def read(self, uri: str, path: str) -> Iterator[bytes]:
        with (self._folder(uri) / path).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def _folder(self, uri: str) -> Path:
        parts = urlsplit(uri)
        if parts.scheme == _PROXIED:
            folder = (self._root / unquote(parts.path).lstrip("/")).resolve()
            if not folder.is_relative_to(self._root.resolve()):
                raise Unreachable(f"'{uri}' leads out of {self._root}")
            return folder
        if parts.scheme == "file":
            return Path(url2pathname(parts.path))
        if parts.scheme and len(parts.scheme) > 1:
            raise Unreachable(
                f"files at '{parts.scheme}://' cannot be read here",
                hint="start `mlflow server` on the store and give its URL",
            )
        return self._base / uri
