"""A filter's text cut into tokens, in time linear in its length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from homeostat.core.errors import InvalidInput

MOST_CHARACTERS = 500_000

Kind = Literal["name", "text", "number", "operator", "word", "open", "close", "comma", "other"]

# A name may have a quoted part after its dot, or be quoted whole; quotes do not nest and nothing is escaped in them.
_TOKEN = re.compile(
    r"""\s*(?:
      (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.`"]))
    | (?P<name>\w+\.(?:`[^`]*`|"[^"]*"|[\w./-]+)|`[^`]*`(?:\.(?:`[^`]*`|"[^"]*"|[\w./-]+))?)
    | (?P<word>\w+)
    | (?P<text>'[^']*'(?:'[^']*')*|"[^"]*")
    | (?P<operator><>|!=|<=|>=|==|=|<|>)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    | (?P<other>\S)
    )""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str

    @property
    def upper(self) -> str:
        return self.text.upper()


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens; raise InvalidInput for a text that is too long."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"Invalid filter: it has {len(text)} characters, at most {MOST_CHARACTERS} are read")
    for found in _TOKEN.finditer(text.rstrip()):
        assert found.lastgroup is not None
        yield Token(found.lastgroup, found[found.lastgroup])  # type: ignore[arg-type]


def unquoted(text: str) -> str:
    """Return the text without the quotes around it.

    >>> unquoted("`a b`"), unquoted("'x'"), unquoted("y")
    ('a b', 'x', 'y')
    """
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] and text[0] in "`'\"" else text
