"""Which requests are traced, and what is noted of them on their way. Telling it to the world is another's business (`otel`).

A trail is a few numbers in a list while the request is under way: spans are made of it when it is over. A request that is not traced costs one
comparison.
"""

import secrets
from collections.abc import Callable
from random import Random

import msgspec

from homeostat.serve.headers import Parent


class Step(msgspec.Struct, gc=False):
    """A part of a request: from `start` to `end` on the clock of `time.perf_counter`. `error`: why it failed."""

    name: str
    start: float
    end: float
    version: int | None = None
    error: str | None = None


class Trail(msgspec.Struct):
    """A request that is traced. Ids are W3C's, in hexadecimal digits. `version` and `route`: who answered."""

    trace_id: str
    span_id: str
    parent_id: str | None
    model: str
    request_id: str
    rows: int
    start: float
    end: float = 0.0
    version: int | None = None
    route: str | None = None
    error: str | None = None
    steps: list[Step] = []

    def evaluated(self, start: float, waited_s: float, end: float, version: int, error: str | None = None) -> None:
        """Note that a version was asked: it waited first, then it was evaluated."""
        self.steps.append(Step("queue", start, start + waited_s, version))
        self.steps.append(Step("evaluate", start + waited_s, end, version, error))

    def recorded(self, start: float, end: float) -> None:
        self.steps.append(Step("record", start, end))


class Tracing:
    """Decides: a caller's own decision holds (the flag of its `traceparent`); of the others, a share of `ratio` is traced.

    `tell(trail)` is given each trail that is over, and must not block; `close` ends that.
    """

    def __init__(
        self,
        tell: Callable[[Trail], None],
        *,
        ratio: float = 0.0,
        random: Random | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.tell = tell
        self.close = close
        self._ratio = ratio
        self._random = (random or Random()).random  # noqa: S311 - who is traced is no secret

    def begin(self, parent: Parent | None, *, model: str, request_id: str, rows: int, start: float) -> Trail | None:
        """Return the trail of a request; None where it is not traced."""
        if parent is None:
            if not self._ratio or self._random() >= self._ratio:
                return None
            trace_id, parent_id = secrets.token_hex(16), None
        elif parent.is_sampled:
            trace_id, parent_id = parent.trace_id, parent.span_id
        else:
            return None
        return Trail(
            trace_id=trace_id,
            span_id=secrets.token_hex(8),
            parent_id=parent_id,
            model=model,
            request_id=request_id,
            rows=rows,
            start=start,
        )
