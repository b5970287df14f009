"""What an export target is: a name, and the files that it makes of a project."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from homeostat.app.project import Place

CONFIGURATION = "homeostat.container.yaml"
USER_ID = 10001
HOME = "/project"
STATE = f"{HOME}/.homeostat"
RECORDS = "/records"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the files are about. `folder`: where they go, below the project's; `image`: the name that the built image is pushed under."""

    place: Place
    folder: str
    image: str
    python: str
    version: str

    @property
    def name(self) -> str:
        """The model's name as a label of DNS, for objects of a cluster."""
        return dns_label(self.place.project.model)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`files` returns what to write, by file name; `next_step` is the command that uses them, from the folder they are in."""

    name: str
    summary: str
    files: Callable[[Asked], Mapping[str, str]]
    next_step: Callable[[Asked], str]


def dns_label(name: str) -> str:
    """Return the name in lower case letters, digits and hyphens, a letter first (RFC 1035).

    At most 30 characters: with what a cluster appends to it, it names a worker in the record, which takes 64.

    >>> dns_label("Churn_EU-2")
    'churn-eu-2'
    >>> dns_label("7up__")
    'm-7up'
    """
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return (label if label[:1].isalpha() else f"m-{label}")[:30].rstrip("-")
