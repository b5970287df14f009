"""Writing a project's files for where it is to run."""

import platform
from importlib import metadata
from pathlib import Path

from homeostat.app.export.target import Asked, Target, dns_label
from homeostat.app.export.targets import targets
from homeostat.app.project import Place
from homeostat.core.errors import InvalidInput, NotFound, near


def export(place: Place, name: str, *, folder: Path | None, image: str | None) -> tuple[list[Path], str]:
    """Write the target's files and return them, with the command that uses them. Files of those names are written anew.

    Default folder: deploy/TARGET in the project; another must be in the project too, because an image is built from there.
    """
    target = _target(name)
    place_for = (place.root / (folder or Path("deploy") / name)).resolve()
    if not place_for.is_relative_to(place.root) or place_for == place.root:
        raise InvalidInput(f"{place_for} is not a folder in the project", hint=f"choose one below {place.root}")
    version = metadata.version("homeostat")
    asked = Asked(
        place=place,
        folder=place_for.relative_to(place.root).as_posix(),
        image=_image(image or f"{dns_label(place.project.model)}:{version}"),
        python=".".join(platform.python_version_tuple()[:2]),
        version=version,
    )
    place_for.mkdir(parents=True, exist_ok=True)
    written = []
    for file, text in target.files(asked).items():
        (place_for / file).write_text(text, encoding="utf-8")
        written.append(place_for / file)
    return written, target.next_step(asked)


def _target(name: str) -> Target:
    known = targets()
    if name not in known:
        raise NotFound(f"no export target '{name}'", hint=near(name, known) or f"known: {', '.join(known)}")
    return known[name]


def _image(name: str) -> str:
    if not name or not name.isprintable() or any(character.isspace() for character in name):
        raise InvalidInput(f"'{name}' is no name of an image", hint="write name:tag")
    return name
