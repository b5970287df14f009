"""YAML as homeostat.yaml has it: what is read as a number, and what must therefore be quoted to stay a text."""

import re
from typing import Any

import yaml

_FLOAT = "tag:yaml.org,2002:float"
_EXPONENT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)[eE][-+]?[0-9]+$")
_BEGINNINGS = list("-+.0123456789")


class Loader(yaml.SafeLoader):
    """Knows numbers like 1e-9, which were texts until YAML 1.2."""


class _Dumper(yaml.SafeDumper):
    """Quotes the texts that the loader would take for numbers."""


Loader.add_implicit_resolver(_FLOAT, _EXPONENT, _BEGINNINGS)
_Dumper.add_implicit_resolver(_FLOAT, _EXPONENT, _BEGINNINGS)


def read(text: str) -> Any:
    """Return what YAML text says; raise yaml.YAMLError.

    >>> read("[1e-9, '1e-9']")
    [1e-09, '1e-9']
    """
    return yaml.load(text, Loader=Loader)  # noqa: S506 - a safe one


def write(content: Any, *, width: int | None = None, flow: bool = False, unicode: bool = True) -> str:
    r"""Return YAML text from which `read` gets the content again, its keys in their order.

    >>> write({"target": "0E0"})
    "target: '0E0'\n"
    """
    text: str = yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, allow_unicode=unicode, default_flow_style=flow, width=width or 80
    )
    return text
