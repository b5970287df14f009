"""Copies of remote blobs in a local folder, whose size has a bound: what was used longest ago goes first."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

_IN_USE_S = 600.0
_FORGOTTEN_S = 86_400.0


class BlobCache:
    """Folders by key. Safe for many threads and processes; a folder is there whole or not at all.

    When the copies have more than `most_bytes`, the least recently asked for are removed. Whoever asked for one in the last ten minutes may
    still be reading it: those stay, so the bound is passed for as long as more than that is in use.
    """

    def __init__(self, folder: Path, *, most_bytes: int, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._now = now

    def get(self, key: str) -> Path | None:
        """Return the folder of a key, None where it is not here; note that it was asked for."""
        found = self._folder / key
        try:
            os.utime(found, (self._now(), self._now()))
        except FileNotFoundError:
            return None
        return found

    def add(self, key: str, fill: Callable[[Path], None]) -> Path:
        """Return the folder of a key, newly made by `fill`; make room for it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        target, staged = self._folder / key, self._folder / f".{uuid4().hex}"
        staged.mkdir(mode=0o700)
        try:
            fill(staged)
            os.utime(staged, (self._now(), self._now()))
            try:
                staged.rename(target)
            except OSError:  # another process was quicker
                if not target.exists():
                    raise
        finally:
            shutil.rmtree(staged, ignore_errors=True)
        self._make_room()
        return target

    def _make_room(self) -> None:
        now = self._now()
        used: list[tuple[float, Path]] = []
        for each in self._folder.iterdir():
            try:
                asked = each.stat().st_mtime
            except FileNotFoundError:  # another process makes room too
                continue
            if not each.name.startswith("."):
                used.append((asked, each))
            elif asked < now - _FORGOTTEN_S:  # a process was killed while it filled or removed it
                shutil.rmtree(each, ignore_errors=True)
        sizes = {path: _size(path) for _, path in used}
        total = sum(sizes.values())
        for asked, path in sorted(used):
            if total <= self._most_bytes or asked > now - _IN_USE_S:
                return
            self._remove(path)
            total -= sizes[path]

    def _remove(self, path: Path) -> None:
        """Move it aside first: nobody may find half of it."""
        aside = self._folder / f".{uuid4().hex}"
        try:
            path.rename(aside)
        except FileNotFoundError:
            return
        shutil.rmtree(aside, ignore_errors=True)


def _size(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if each.is_file())
