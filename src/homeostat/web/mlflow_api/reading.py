"""What an endpoint reads of a request, found by letting its handler read one: the API's description cannot say anything else.

Handlers take all that they need from the Call before they touch the store, so one that is given examples has told everything when it asks
for the store, or returns.
"""

import asyncio
import inspect
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias, cast

from homeostat.core.errors import HomeostatError
from homeostat.web.mlflow_api.call import Call
from homeostat.web.mlflow_api.endpoint import Desk, Endpoint

Kind: TypeAlias = Literal["anything", "text", "integer", "number", "flag", "texts", "items", "item"]

_USUAL: dict[str, Any] = {"run_id": "0" * 32, "experiment_id": "0"}
_LEFT_OUT = frozenset({"content-type", "content-length", "content-encoding", "host", "x-forwarded-proto"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A field that was asked for."""

    name: str
    kind: Kind
    is_required: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What a handler asked for: fields of the query or body, and headers. `stopped` is why it read no further, None where it did."""

    fields: tuple[Asked, ...]
    headers: tuple[str, ...]
    stopped: HomeostatError | None


def read(endpoint: Endpoint) -> Reading:
    """Return what the handler of an endpoint asks a request for."""
    params = {name: endpoint.examples.get(name, _USUAL.get(name, "1")) for name in endpoint.parameters}
    call = _NotingCall(
        method=endpoint.method,
        path=endpoint.paths[0],
        params=params,
        query="",
        headers=_Noted({"content-type": "application/json", **endpoint.examples}),
        body=b"{}",
        examples=endpoint.examples,
    )
    stopped = None
    try:
        result = endpoint.handler(call, _DESK)
        if inspect.iscoroutine(result):
            asyncio.run(result)
    except _AtTheStore:
        pass
    except HomeostatError as error:
        stopped = error
    headers = cast(_Noted, call.headers).names
    return Reading(tuple(call.asked.values()), tuple(sorted(headers.keys() - _LEFT_OUT)), stopped)


class _AtTheStore(BaseException):
    """Raised where a handler asks for the store or the blobs."""


class _Shut:
    def __getattr__(self, name: str) -> Any:
        raise _AtTheStore(name)


class _Epoch:
    def now(self) -> datetime:
        return datetime(1970, 1, 1, tzinfo=UTC)


_DESK = Desk(store=cast(Any, _Shut()), blobs=cast(Any, _Shut()), clock=_Epoch(), actor="")


class _Noted(dict[str, Any]):
    """A mapping that notes, in order, the names that it is asked for."""

    def __init__(self, examples: dict[str, Any]) -> None:
        super().__init__(examples)
        self.names: dict[str, None] = {}

    def get(self, name: str, default: Any = None) -> Any:
        self.names[name] = None
        return super().get(name, default)


@dataclass(slots=True)
class _NotingCall(Call):
    """Gives an example for everything that must be there, and nothing for the rest."""

    examples: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)

    @property
    def fields(self) -> dict[str, Any]:
        return _Fields(self)

    def has(self, name: str) -> bool:
        self._note(name, "anything")
        return True

    def text(self, name: str, *_aliases: str) -> str:
        return cast(str, self._given(name, "text", _USUAL.get(name, "1")))

    def text_or_none(self, name: str, *_aliases: str) -> str | None:
        return cast(str | None, self._note(name, "text"))

    def integer(self, name: str) -> int:
        return cast(int, self._given(name, "integer", 1))

    def integer_or_none(self, name: str) -> int | None:
        return cast(int | None, self._note(name, "integer"))

    def number(self, name: str) -> float:
        return cast(float, self._given(name, "number", 0.5))

    def flag(self, name: str, *, default: bool = False) -> bool:
        self._note(name, "flag")
        return default

    def texts(self, name: str) -> list[str]:
        return cast(list[str], self._note(name, "texts") or [])

    def items(self, name: str) -> list[dict[str, Any]]:
        return cast(list[dict[str, Any]], self._note(name, "items") or [])

    def item(self, name: str) -> dict[str, Any] | None:
        return cast(dict[str, Any] | None, self._note(name, "item"))

    def _given(self, name: str, kind: Kind, usual: Any) -> Any:
        found = self._note(name, kind, is_required=True)
        return usual if found is None else found

    def _note(self, name: str, kind: Kind, *, is_required: bool = False) -> Any:
        """A field asked for twice is of the kind that says more: what must be there is often asked for as a text, only to be missed."""
        before = self.asked.get(name)
        if before is not None:
            kind = kind if before.kind in ("anything", "text") and kind != "anything" else before.kind
            is_required = is_required or before.is_required
        self.asked[name] = Asked(name, kind, is_required)
        return self.examples.get(name)


class _Fields(dict[str, Any]):
    """The fields as handlers see them that look for more than one kind of value in one."""

    def __init__(self, call: _NotingCall) -> None:
        super().__init__(call.examples)
        self._call = call

    def get(self, name: str, default: Any = None) -> Any:
        if name.islower():  # the other spelling of a name is no other field
            self._call._note(name, "anything")  # noqa: SLF001 - one thing in two classes
        return super().get(name, default)
