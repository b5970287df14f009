"""What the comparison of two tables found, as JSON-ready values."""

from typing import Any, Literal

import msgspec

from homeostat.core.columns import Kind
from homeostat.watch.joint import JointDrift
from homeostat.watch.verdict import Drift, State


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the rows of both sides in the same bins or categories; of at most 20."""

    labels: list[str]
    reference: list[float]
    current: list[float]


class ColumnVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """`because` says why the state is what it is, `change` that its type is another now. `drifts`: every number it rests on. Facts are None where a side has no such column.

    `joint`: of embeddings, what was measured on samples of both, each at alpha divided by their number. `reliability`, of answers: how often it came true, by what was promised.
    """

    name: str
    kind: Kind | None
    state: State
    because: str
    drifts: list[Drift] = []
    joint: list[JointDrift] = []
    reference: dict[str, float | str] | None = None
    current: dict[str, float | str] | None = None
    picture: Picture | None = None
    change: str = ""
    reliability: Picture | None = None

    def with_change(self, change: str) -> "ColumnVerdict":
        """Return it with what is odd about its type; such a column warns at least."""
        return msgspec.structs.replace(self, change=change)


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The worst state of a column, one sentence, and the columns: the farthest moved first. `by`: what was compared; `answers`: of a model, where they are known."""

    state: State
    summary: str
    reference: str
    current: str
    reference_rows: int
    current_rows: int
    by: Literal["rows", "profiles"]
    alpha: float
    columns: list[ColumnVerdict]
    answers: ColumnVerdict | None = None
    notes: list[str] = []

    def to_json(self) -> dict[str, Any]:
        out: dict[str, Any] = msgspec.to_builtins(self)
        return out
