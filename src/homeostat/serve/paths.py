"""Which endpoint a path means. The table is made once; a path that was asked before is looked up by itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from homeostat.core.errors import HomeostatError, InvalidInput, NotFound, near
from homeostat.serve.door import Endpoint

_MOST_REMEMBERED = 2048


class MethodNotAllowed(InvalidInput):
    """The path is there, for another method."""

    http_status = 405

    def __init__(self, message: str, *, hint: str | None = None, allowed: Iterable[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.allowed = sorted(allowed)


@dataclass(frozen=True, slots=True)
class Match:
    endpoint: Endpoint
    params: dict[str, str]


class Paths:
    """A table of endpoints. A segment in braces takes any one segment, percent-encoded slashes included."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self._by_length: dict[int, list[tuple[tuple[str, ...], Endpoint]]] = {}
        for endpoint in self.endpoints:
            segments = tuple(endpoint.path.split("/"))
            self._by_length.setdefault(len(segments), []).append((segments, endpoint))
        self._remembered: dict[tuple[str, str], Match] = {}

    def find(self, method: str, path: str) -> Match:
        """Return the endpoint and the values in its braces; raise NotFound or MethodNotAllowed."""
        known = self._remembered.get((method, path))
        if known is not None:
            return known
        wanted = "GET" if method == "HEAD" else method
        segments = path.split("/")
        allowed = set()
        for pattern, endpoint in self._by_length.get(len(segments), ()):
            params = _matched(pattern, segments)
            if params is None:
                continue
            if endpoint.method == wanted:
                if len(self._remembered) >= _MOST_REMEMBERED:
                    self._remembered.clear()
                found = self._remembered[method, path] = Match(endpoint, params)
                return found
            allowed.add(endpoint.method)
        raise self._refusal(method, path, allowed)

    def _refusal(self, method: str, path: str, allowed: set[str]) -> HomeostatError:
        if allowed:
            return MethodNotAllowed(
                f"{method[:20]} is not possible here", hint=f"use {', '.join(sorted(allowed))}", allowed=allowed
            )
        return NotFound(
            f"nothing is at '{path[:200]}'", hint=near(path[:200], {endpoint.path for endpoint in self.endpoints})
        )


def _matched(pattern: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    params = {}
    for wanted, found in zip(pattern, segments, strict=True):
        if wanted.startswith("{"):
            if not found:
                return None
            params[wanted[1:-1]] = unquote(found)
        elif wanted != found:
            return None
    return params
