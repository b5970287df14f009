"""One import: where from, where to, what has come over so far, and how its files do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from homeostat.app.import_mlflow.source import MlflowSource
from homeostat.app.import_mlflow.tally import Tally
from homeostat.audit.log import record
from homeostat.core.errors import HomeostatError, NotFound, Unreachable
from homeostat.core.ports.blobs import BlobStore
from homeostat.core.ports.clock import Clock
from homeostat.core.ports.store import Store, Transaction
from homeostat.core.values import Json
from homeostat.track.artifacts import safe_path


@dataclass(kw_only=True, eq=False)
class Transfer:
    """`places`: the source address of a run or logged model, and ours. `tell` hears of what goes on and of what could not be brought over."""

    source: MlflowSource
    store: Store
    blobs: BlobStore
    clock: Clock
    actor: str
    tell: Callable[[str], None]
    tally: Tally = field(default_factory=Tally)
    places: dict[str, str] = field(default_factory=dict)

    def files(self, uri: str, blob: str) -> tuple[int, int]:
        """Copy the files at an address that are not here yet; return how many there are, and their size."""
        if not uri:
            return 0, 0
        size = 0
        found = self.source.files(uri)
        for path, bytes_ in found:
            size += bytes_
            target = f"{blob}/{safe_path(path)}"
            if self._size(target) == bytes_:
                continue
            with self.blobs.upload(target) as file:
                for piece in self.source.read(uri, path):
                    file.write(piece)
            if (written := self._size(target)) != bytes_:
                raise Unreachable(
                    f"'{path}' at {uri} has {bytes_} bytes, and {written} came", hint="start the import again"
                )
        return len(found), size

    def _size(self, path: str) -> int | None:
        try:
            return self.blobs.size(path)
        except NotFound:
            return None

    @contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """One thing that cannot be brought over does not stop the others; it is told, and the count cannot agree."""
        try:
            yield
        except HomeostatError as error:
            self.problem(what, error)

    def problem(self, what: str, error: HomeostatError) -> None:
        """Tell of something that could not be brought over."""
        text = f"{what}: {error.message}" + (f" ({error.hint})" if error.hint else "")
        self.tally.problems.append(text)
        self.tell(text)

    def note(self, tx: Transaction, kind: str, subject: str, payload: Json) -> None:
        """Say in the audit log what was brought over, in the transaction that did it."""
        now: datetime = self.clock.now()
        record(tx, kind, subject=subject, actor=self.actor, time=now, payload={"from": self.source.name, **payload})
