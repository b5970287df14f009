"""Durations and sizes as people write them: `7d`, `15min`, `4GB`."""

import re
from datetime import timedelta
from typing import Any

from homeostat.core.errors import InvalidInput

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_BYTES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|min|h|d|w)")


class Duration(timedelta):
    """A timedelta that reads and writes `90s`, `15min`, `1h30min`, `7d`, `2w`."""

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Return the duration that `text` says; raise InvalidInput otherwise.

        >>> Duration.parse("1h30min").total_seconds()
        5400.0
        """
        compact = text.strip()
        parts = _DURATION.findall(compact)
        if not parts or _DURATION.sub("", compact).strip():
            raise InvalidInput(f"'{text}' is not a duration", hint="write a number and a unit: 30s, 15min, 12h, 7d, 2w")
        return cls(seconds=sum(float(n) * _SECONDS[u] for n, u in parts))

    def __str__(self) -> str:
        """Return the shortest exact form in the largest units.

        >>> str(Duration(days=1, hours=12))
        '1d12h'
        """
        left = round(self.total_seconds(), 3)
        out = ""
        for unit in ("d", "h", "min", "s"):
            whole = int(left // _SECONDS[unit])
            if whole:
                out += f"{whole}{unit}"
                left = round(left - whole * _SECONDS[unit], 3)
        if left:
            out += f"{round(left * 1000)}ms"
        return out or "0s"


def written(value: object) -> str:
    """Return a duration as text: what an encoder of JSON calls for what it does not know."""
    if isinstance(value, Duration):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} is not JSON")


def read(kind: type, value: Any) -> Duration:
    """Return the duration that was written: what a decoder of JSON calls for a type that it does not know."""
    if kind is Duration:
        return Duration.parse(value)
    raise NotImplementedError(f"{kind.__name__} is not read from JSON")


def size_bytes(text: str) -> int:
    """Return the number of bytes that `4GB`, `512 MiB` or `100` say; raise InvalidInput otherwise.

    >>> size_bytes("4GB")
    4000000000
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = match.group(2) if match else ""
    if match is None or (unit and unit not in _BYTES):
        raise InvalidInput(f"'{text}' is not a size", hint="write a number and a unit: 512MB, 4GB, 2GiB")
    return int(float(match.group(1)) * (_BYTES[unit] if unit else 1))
