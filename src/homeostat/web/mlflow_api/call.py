"""One request: typed access to its body or query, with the messages that clients know."""

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs

import msgspec

from homeostat.web.mlflow_api.errors import WireError, invalid

_HINT = " See the API docs for more information about request parameters."
_INT64 = 2**63
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_MOST_FIELDS = 10_000

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


@dataclass(slots=True)
class Call:
    """A request as an endpoint sees it. `params` are the parts of the path; `headers` have lower-case names.

    Fields come from the query of a GET, else from the JSON body. Absent, null and (where a value is required) empty fields count as
    missing. Every accessor raises the 400 that clients know.
    """

    method: str
    path: str
    params: dict[str, str]
    query: str
    headers: dict[str, str]
    body: bytes
    scope: MutableMapping[str, Any] = field(default_factory=dict)
    receive: Receive | None = None
    _fields: dict[str, Any] | None = None
    _is_query: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """All fields as they came: lists of texts from a query, JSON values from a body."""
        if self._fields is None:
            self._is_query = bool(self.query) and (self.method == "GET" or not self.body)
            self._fields = _query(self.query) if self._is_query else self._json()
        return self._fields

    def has(self, name: str) -> bool:
        """Return whether the field was given, empty or not."""
        return self._raw(name) is not None

    def text(self, name: str, *aliases: str) -> str:
        """Return a text that must be there and not be empty."""
        value = self.text_or_none(name, *aliases)
        if not value:
            raise missing(name)
        return value

    def text_or_none(self, name: str, *aliases: str) -> str | None:
        """Return a text, which may be empty, None where the field is absent."""
        value = self._one(name)
        for alias in aliases:
            value = self._one(alias) if value is None else value
        return None if value is None else as_text(value, name)

    def integer(self, name: str) -> int:
        """Return a 64-bit integer that must be there."""
        value = self.integer_or_none(name)
        if value is None:
            raise missing(name)
        return value

    def integer_or_none(self, name: str) -> int | None:
        value = self._one(name)
        return None if value is None else as_integer(value, name)

    def number(self, name: str) -> float:
        """Return a float that must be there; the texts NaN, Infinity and -Infinity are floats too."""
        value = self._one(name)
        if value is None or value == "":
            raise missing(name)
        return as_number(value, name)

    def flag(self, name: str, *, default: bool = False) -> bool:
        value = self._one(name)
        if value is None:
            return default
        if self._is_query and isinstance(value, str):
            if value.lower() not in {"true", "false"}:
                raise invalid(f"Invalid boolean value: {value}, must be 'true' or 'false'.")
            return value.lower() == "true"
        if not isinstance(value, bool):
            raise wrong(name, value)
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty where the field is absent."""
        return [as_text(value, name) for value in self._list(name)]

    def items(self, name: str) -> list[dict[str, Any]]:
        """Return a list of objects, empty where the field is absent."""
        found = self._list(name)
        for value in found:
            if not isinstance(value, dict):
                raise wrong(name, found)
        return found

    def item(self, name: str) -> dict[str, Any] | None:
        """Return an object, None where the field is absent."""
        value = self._raw(name)
        if value is not None and not isinstance(value, dict):
            raise wrong(name, value)
        return value

    def _list(self, name: str) -> list[Any]:
        value = self._raw(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise wrong(name, value)
        return value

    def _one(self, name: str) -> Any:
        value = self._raw(name)
        return value[0] if self._is_query and value is not None else value

    def _raw(self, name: str) -> Any:
        found = self.fields.get(name)
        return self.fields.get(_camel(name)) if found is None else found

    def _json(self) -> dict[str, Any]:
        if not self.body:
            return {}
        check_content_type(self.headers)
        found = decode(self.body)
        if isinstance(found, str):  # old clients encode twice
            found = decode(found.encode("utf-8", "surrogatepass"))
        if found is None:
            return {}
        if not isinstance(found, dict):
            raise invalid("The request body must be a JSON object.")
        return found


def check_content_type(headers: dict[str, str]) -> None:
    """Refuse a body that does not say that it is JSON: a browser's form cannot say so without asking first."""
    kind = headers.get("content-type", "")
    if not kind:
        raise invalid("Bad Request. Content-Type header is missing.")
    if kind.partition(";")[0].strip().lower() != "application/json":
        raise invalid("Bad Request. Content-Type must be one of ['application/json'].")


def decode(body: bytes) -> Any:
    """Return what JSON says, bare NaN and Infinity included, or the 400 that says why it is none."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass  # the standard library's reader takes NaN, which some clients write
    except RecursionError as error:
        raise WireError("BAD_REQUEST", "The request body is nested too deeply.") from error
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half a character, which this reader takes too, fails here
    except RecursionError as error:
        raise WireError("BAD_REQUEST", "The request body is nested too deeply.") from error
    except UnicodeEncodeError as error:
        raise invalid("The request body holds a character that cannot be stored.") from error
    except ValueError as error:
        raise WireError("BAD_REQUEST", f"The request body is not JSON: {error}") from error
    return found


def missing(name: str) -> WireError:
    return invalid(f"Missing value for required parameter '{name}'.{_HINT}")


def wrong(name: str, value: object) -> WireError:
    """Return the error for a value of a wrong type."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)[:1000]
    kind = type(value).__name__
    return invalid(f"Invalid value {shown} for parameter '{name}' supplied:  Hint: Value was of type '{kind}'.{_HINT}")


def as_text(value: object, name: str) -> str:
    """Return the value where it is a text that every store can keep."""
    if not isinstance(value, str):
        raise wrong(name, value)
    if value.isascii() and "\0" not in value:
        return value
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise invalid(
            f"Invalid value for parameter '{name}' supplied: the text holds a character that cannot be stored."
        )
    return value


def as_integer(value: object, name: str) -> int:
    """Return the value where it is a 64-bit integer, or a text or float that says one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(name, value)
    try:
        found = int(value)
    except (ValueError, OverflowError) as error:
        raise wrong(name, value) from error
    if (isinstance(value, float) and not value.is_integer()) or not -_INT64 <= found < _INT64:
        raise wrong(name, value)
    return found


def as_number(value: object, name: str) -> float:
    """Return the value where it is a number, or a text that says one."""
    if isinstance(value, str) and value in _NUMBERS:
        return _NUMBERS[value]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise wrong(name, value)
    try:
        found = float(value)
    except (ValueError, OverflowError) as error:
        raise wrong(name, value) from error
    if isinstance(value, str) and not math.isfinite(found):  # 'nan', '1e999'
        raise wrong(name, value)
    return found


def _query(query: str) -> dict[str, Any]:
    try:
        return dict(parse_qs(query, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise invalid(f"The query cannot be read: {error}") from error


@lru_cache(maxsize=1000)
def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
