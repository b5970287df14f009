"""Environments of versions whose requirements the server's does not meet: made by uv, in the background, once for each set of locked requirements.

    <root>/locks/<what was asked>.txt       the requirements with all that they stand on, pinned and with hashes
    <root>/<the lock's hash>/               a virtual environment, whole where `done` is in it

Only wheels are installed, so that installing runs none of their code; loading the model does. Where they come from is what uv is set to
(UV_DEFAULT_INDEX, UV_FIND_LINKS, uv.toml), never what the model's files say.
"""

import fcntl
import hashlib
import logging
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from homeostat.app.project import Place
from homeostat.core.errors import HomeostatError, InvalidInput
from homeostat.train.requirements import Recorded, installable, recorded_in, unmet
from homeostat.train.runner import Interpreter, InterpreterOf, ours

log = logging.getLogger(__name__)

SUPPORT = (
    "cloudpickle",
    "msgspec",
    "numpy",
    "pandas",
    "polars",
    "pyyaml",
)  # what reading a package and asking it needs
_LIMIT_S = 600.0
_AGAIN_S = 60.0
_LAST_LINES = 8
_DONE = "done"
_CODE = "PYTHONPATH"
_FOLDER = "environments"
_OLDEST = (3, 11)


def interpreters(place: Place) -> InterpreterOf:
    """Return what tells by which interpreter a package is tried and judged: our own, unless the project's settings allow others."""
    if place.project.serve.environments == "server":
        return ours
    return Environments(place.state / _FOLDER).await_interpreter


class BeingBuilt(HomeostatError):
    """The environment that a version needs is not there yet; it is being made."""

    code = "environment_being_built"
    http_status = 503


@dataclass(frozen=True, slots=True)
class _Failed:
    error: HomeostatError
    at: float


class Environments:
    """The environments of one machine, below `root`. Several processes may use one folder: each environment is built by one of them."""

    def __init__(self, root: Path, *, environment: Mapping[str, str] | None = None) -> None:
        self._root = root
        self._environment = dict(os.environ if environment is None else environment)
        self._guard = threading.Lock()
        self._under_way: dict[str, threading.Thread] = {}
        self._failed: dict[str, _Failed] = {}

    def interpreter(self, package: Path) -> Path | None:
        """Return the interpreter to serve the package by, None where it is this process's own.

        Raises BeingBuilt while there is none yet, which begins its building, and InvalidInput where it could not be built: in the words
        of uv, and again after a minute.
        """
        said = recorded_in(package)
        if not unmet(said):
            return None
        asked = _Asked.of(said)
        found = asked.ready(self._root)
        if found is not None:
            return found
        with self._guard:
            failed = self._failed.get(asked.name)
            if failed is not None and time.monotonic() - failed.at < _AGAIN_S:
                raise failed.error
            if asked.name not in self._under_way:
                self._failed.pop(asked.name, None)
                thread = threading.Thread(target=self._build, args=(asked,), name="environment", daemon=True)
                self._under_way[asked.name] = thread
                thread.start()
        raise BeingBuilt(f"the environment of {package.name} is being built", hint="it is tried again every second")

    def await_interpreter(self, package: Path) -> Interpreter | None:
        """Return what to ask the package by when it is there, None where that is this process's own; raise InvalidInput where it cannot be built.

        Takes minutes at the first time: for whoever tries and judges versions, not for who answers requests.
        """
        said = recorded_in(package)
        if not unmet(said):
            return None
        asked = _Asked.of(said)
        asked.build(self._root, self._environment)
        python = asked.ready(self._root)
        assert python is not None
        return Interpreter(python=str(python), environment={_CODE: str(_our_code(self._root))})

    def child_environment(self) -> dict[str, str]:
        """Return the variables of a process by such an interpreter: it gets our code, and nothing else that is installed here."""
        return {
            **{name: value for name, value in self._environment.items() if name not in _OUR_PYTHON},
            _CODE: str(_our_code(self._root)),
        }

    def wait(self) -> None:
        """Return when nothing is being built."""
        for thread in list(self._under_way.values()):
            thread.join()

    def _build(self, asked: "_Asked") -> None:
        error: HomeostatError | None = None
        try:
            asked.build(self._root, self._environment)
        except HomeostatError as caught:
            error = caught
        except Exception as caught:  # the border of the thread: a full disk, say
            log.exception("an environment could not be built")
            error = InvalidInput(f"the model's environment could not be built: {type(caught).__name__}: {caught}")
        with self._guard:
            if error is not None:
                self._failed[asked.name] = _Failed(error, time.monotonic())
            del self._under_way[asked.name]


_OUR_PYTHON = {_CODE, "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}


@dataclass(frozen=True, slots=True)
class _Asked:
    python: str
    lines: tuple[str, ...]

    @classmethod
    def of(cls, said: Recorded) -> "_Asked":
        wanted = said.python or platform.python_version()
        minor = tuple(int(part) for part in wanted.split(".")[:2] if part.isdecimal())
        if minor < _OLDEST:
            raise InvalidInput(
                f"the model was made with Python {wanted}, and is asked by code that needs {'.'.join(map(str, _OLDEST))} or newer",
                hint="log it again from a newer Python",
            )
        is_ours = minor == sys.version_info[:2]
        return cls(sys.executable if is_ours else ".".join(map(str, minor)), (*installable(said), *SUPPORT))

    @property
    def name(self) -> str:
        return hashlib.sha256("\n".join((self.python, *self.lines)).encode()).hexdigest()[:32]

    def ready(self, root: Path) -> Path | None:
        """Return the interpreter where the environment is whole."""
        lock = self._lock(root)
        if not lock.is_file():
            return None
        folder = self._folder(root, lock)
        return folder / "bin" / "python" if (folder / _DONE).is_file() else None

    def build(self, root: Path, environment: Mapping[str, str]) -> None:
        """Lock the requirements where they are not, and make the environment; raise InvalidInput with uv's last lines."""
        (root / "locks").mkdir(parents=True, exist_ok=True, mode=0o700)
        with _alone(root):
            if self.ready(root) is not None:
                return
            began = time.monotonic()
            uv = _Uv(root, environment, until=began + _LIMIT_S)
            lock = self._lock(root)
            if not lock.is_file():
                wanted, draft = lock.with_suffix(".in"), lock.with_suffix(".new")
                wanted.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
                flags = ("--generate-hashes", "--no-header", "--no-annotate", "--no-build", "--quiet")
                uv.run("pip", "compile", *flags, "--python", self.python, "-o", str(draft), str(wanted))
                draft.replace(lock)
            folder = self._folder(root, lock)
            shutil.rmtree(folder, ignore_errors=True)
            uv.run("venv", "--quiet", "--no-python-downloads", "--python", self.python, str(folder))
            into = ("--python", str(folder / "bin" / "python"), "--require-hashes", "--no-build")
            uv.run("pip", "install", "--quiet", *into, "-r", str(lock))
            (folder / _DONE).touch()
            log.info("environment.built", extra={"folder": folder.name, "seconds": time.monotonic() - began})

    def _lock(self, root: Path) -> Path:
        return root / "locks" / f"{self.name}.txt"

    def _folder(self, root: Path, lock: Path) -> Path:
        return root / hashlib.sha256(self.python.encode() + lock.read_bytes()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class _Uv:
    folder: Path
    environment: Mapping[str, str]
    until: float

    def run(self, *arguments: str) -> None:
        try:
            done = subprocess.run(  # noqa: S603 - uv, with arguments of ours and names that were checked
                [_uv(), *arguments],
                cwd=self.folder,
                env={**self.environment, "NO_COLOR": "1"},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=max(1.0, self.until - time.monotonic()),
            )
        except subprocess.TimeoutExpired as error:
            raise InvalidInput(
                f"the model's environment was not built within {_LIMIT_S:.0f} s", hint="is the package index reachable?"
            ) from error
        if done.returncode:
            told = [line for line in done.stderr.splitlines() if line.strip()][-_LAST_LINES:]
            raise InvalidInput(
                f"the model's environment cannot be built: uv {' '.join(arguments[:2])} said: " + "\n".join(told),
                hint="its requirements.txt must be installable from wheels; UV_DEFAULT_INDEX and UV_FIND_LINKS say from where",
            )


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.is_file() else shutil.which("uv")
    if found is None:
        raise InvalidInput("`serve.environments: own` needs uv, which is not installed", hint="pip install uv")
    return found


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Hold the folder's lock: processes that need environments at once build one after the other."""
    with (root / "lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _our_code(root: Path) -> Path:
    """Return a folder in which nothing but our own package can be imported."""
    import homeostat

    package = Path(homeostat.__file__).resolve().parent
    folder = root / "code" / hashlib.sha256(str(package).encode()).hexdigest()[:16]
    link = folder / package.name
    if not link.is_symlink():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / f"{os.getpid()}.{threading.get_ident()}"
        draft.symlink_to(package)
        draft.replace(link)
    return folder
