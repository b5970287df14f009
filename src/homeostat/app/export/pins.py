"""What an image installs: Homeostat and all below it, in the versions that run here."""

import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

EXTRAS = ("onnx", "postgres", "s3")
_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")


def requirements(root: Path, *, version: str) -> str:
    """Return the text of a requirements file; the project's own requirements.txt comes last, as it is."""
    own = root / "requirements.txt"
    named = own.read_text(encoding="utf-8").strip() if own.is_file() else ""
    theirs = {_canonical(found.group(1)) for line in named.splitlines() if (found := _NAME.match(line))}
    pins = [f"{name}=={pinned}" for name, pinned in sorted(_below("homeostat").items()) if name not in theirs]
    lines = [f"homeostat[{','.join(EXTRAS)}]=={version}", *pins, *([named] if named else [])]
    return "\n".join(lines) + "\n"


def _below(root: str) -> dict[str, str]:
    """Return the installed distributions that the root needs, by their canonical names, with their versions."""
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        for name in _needed(waiting.pop(), extras=EXTRAS):
            if name not in found and (installed := _installed(name)) is not None:
                found[name] = installed
                waiting.append(name)
    return found


def _needed(distribution: str, *, extras: tuple[str, ...]) -> Iterator[str]:
    for line in metadata.requires(distribution) or []:
        extra = _EXTRA.search(line)
        # markers of platforms are left to what is installed: a distribution that is not here is not pinned
        if extra is not None and (distribution != "homeostat" or extra.group(1) not in extras):
            continue
        if name := _NAME.match(line):
            yield _canonical(name.group(1))


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
