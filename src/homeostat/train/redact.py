"""Secrets taken out of what user code prints, before anyone keeps it."""

import re
from collections.abc import Mapping

HIDDEN = "[redacted]"
_SECRET_NAME = re.compile(
    r"SECRET|TOKEN|PASSW|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE|CREDENTIAL|AUTH|DSN|_KEY$|^KEY_|_PWD$|DATABASE_URL|CONNECTION_STRING",
    re.IGNORECASE,
)
# Shorter values ("1", "true", "dev") stand in every log by chance.
_LEAST_LENGTH = 6
_NAMED = r"""(?P<kept>\b[\w.-]*(?:password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|credential)[\w.-]*["']?\s*[=:]\s*["']?)"""
_PATTERNS = (
    re.compile(r"(?P<kept>)\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"(?P<kept>\b(?:Bearer|Basic)\s+)[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
    re.compile(r"(?P<kept>)\b(?:gh[pousr]_|github_pat_|glpat-|sk-|xox[abprs]-|hf_|pypi-)[A-Za-z0-9_-]{12,}"),
    re.compile(r"(?P<kept>)\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*"),
    re.compile(r"(?P<kept>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@]+(?=@)", re.IGNORECASE),
    re.compile(r"(?P<kept>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL),
    re.compile(_NAMED + r"""[^\s"',;&]+""", re.IGNORECASE),
)


def is_secret_name(name: str) -> bool:
    """Return whether an environment variable of that name looks like a secret.

    >>> is_secret_name("DB_PASSWORD"), is_secret_name("HOME")
    (True, False)
    """
    return _SECRET_NAME.search(name) is not None


class Redactor:
    """Hides the values of an environment's secrets, and what looks like a key, a password or a token in any text."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {value for name, value in environment.items() if is_secret_name(name) and len(value) >= _LEAST_LENGTH}
        longest_first = sorted(values, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, longest_first))) if values else None

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced.

        >>> Redactor({"API_TOKEN": "swordfish"})("using swordfish; password=hunter2")
        'using [redacted]; password=[redacted]'
        """
        if self._values is not None:
            text = self._values.sub(HIDDEN, text)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<kept>{HIDDEN}", text)
        return text
