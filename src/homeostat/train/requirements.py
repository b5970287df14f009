"""What a package says it was made with, and whether the environment of this process has it."""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from homeostat.core.errors import InvalidInput

Read = Callable[[str], str | None]
_OURS = "homeostat"  # packages are read by the code that serves them, whichever version wrote them


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """`python`: as in `3.11.7`, None where nothing is said. `lines`: those of a requirements file, without comments."""

    python: str | None = None
    lines: tuple[str, ...] = ()


def recorded_in(folder: Path) -> Recorded:
    """Return what the package in a folder says."""

    def read(name: str) -> str | None:
        path = folder / name
        return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None

    return recorded(read)


def recorded(read: Read) -> Recorded:
    """Return what a package says; `read` returns the text of one of its files, None where it has none of that name.

    MLflow writes requirements.txt and python_env.yaml; where they are missing, conda.yaml says it (of which only Python and what pip installs count).
    """
    conda = _mapping(read("conda.yaml"))
    parts = conda.get("dependencies")
    parts = parts if isinstance(parts, list) else []
    python = _mapping(read("python_env.yaml")).get("python")
    if python is None:
        named = (part.removeprefix("python") for part in parts if isinstance(part, str) and part.startswith("python="))
        python = next((text.strip("=") for text in named), None)
    text = read("requirements.txt")
    lines = text.splitlines() if text is not None else _of_pip(parts)
    kept = (line.partition(" #")[0].strip() for line in lines)
    return Recorded(
        python=None if python is None else str(python), lines=tuple(line for line in kept if line and line[0] != "#")
    )


def _of_pip(parts: list[Any]) -> list[str]:
    found = next((part["pip"] for part in parts if isinstance(part, dict) and "pip" in part), None)
    return [str(line) for line in found] if isinstance(found, list) else []


def _mapping(text: str | None) -> dict[str, Any]:
    import yaml

    try:
        found = None if text is None else yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def unmet(
    recorded: Recorded,
    *,
    installed: Callable[[str], str | None] | None = None,
    python: str | None = None,
) -> list[str]:
    """Return in words what was recorded and is not so here, nothing where all of it is.

    `installed` returns a distribution's version or None; `python` is the version of the interpreter. Both are this process's unless given.

    >>> unmet(Recorded(lines=("numpy<2",)), installed={"numpy": "2.1.0"}.get, python="3.11.7")
    ['numpy<2 was recorded, 2.1.0 is installed']
    """
    version_of, python = installed or _installed, python or platform.python_version()
    found = []
    if recorded.python is not None and _minor(recorded.python) != _minor(python):
        found.append(f"Python {recorded.python} was recorded, {python} runs here")
    for line in recorded.lines:
        requirement = _requirement(line)
        if requirement is None:
            found.append(f"'{line}' was recorded, which is no name with a version")
        elif _counts(requirement):
            version = version_of(requirement.name)
            if version is None:
                found.append(f"{requirement} was recorded, which is not installed")
            elif not requirement.specifier.contains(version, prereleases=True):
                found.append(f"{requirement} was recorded, {version} is installed")
    return found


def installable(recorded: Recorded) -> Iterator[str]:
    """Yield the requirements to hand to an installer; raise InvalidInput for a line that names a file, an address or an option.

    They come with the model, from whoever logged it: where packages come from is for this installation to say.
    """
    for line in recorded.lines:
        requirement = _requirement(line)
        if requirement is None or requirement.url is not None:
            raise InvalidInput(
                f"the model's requirements have the line '{line}', which is not installed for it",
                hint="log it again with names and versions only, as in scikit-learn==1.6.1",
            )
        if _counts(requirement):
            yield str(requirement)


def _requirement(line: str) -> Any:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return Requirement(line)
    except InvalidRequirement:
        return None


def _counts(requirement: Any) -> bool:
    applies = requirement.marker is None or requirement.marker.evaluate()
    return bool(applies) and requirement.name.lower() != _OURS


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _minor(version: str) -> list[str]:
    return version.split(".")[:2]
