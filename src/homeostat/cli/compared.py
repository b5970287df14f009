"""The comparison of two tables in words, for people."""

from typing import TYPE_CHECKING

from homeostat.cli.output import coloured, table
from homeostat.core.states import SHAPES

if TYPE_CHECKING:
    from homeostat.watch.comparison.result import ColumnVerdict, Comparison

_SHOWN = 40


def comparison_text(found: "Comparison") -> str:
    """Return one line of verdict, and the columns: the farthest moved first."""
    head = [
        f"{coloured(SHAPES[found.state], found.state)} {found.summary}",
        f"reference {found.reference}: {found.reference_rows:,} rows",
        f"current   {found.current}: {found.current_rows:,} rows; compared by {found.by}",
        *found.notes,
    ]
    answers = [] if found.answers is None else [_line(found.answers)]
    rows = [*answers, *(_line(one) for one in found.columns[:_SHOWN])]
    more = [f"and {len(found.columns) - _SHOWN} more columns, none farther"] if len(found.columns) > _SHOWN else []
    return "\n".join([*head, table(["state", "column", "kind", "method", "effect", "alarms", "why"], rows), *more])


def _line(one: "ColumnVerdict") -> tuple[object, ...]:
    worst = max(one.drifts, key=lambda drift: drift.effect / drift.alarm, default=None)
    measured = (None, None, None) if worst is None else (worst.method, worst.effect, worst.alarm)
    return (f"{SHAPES[one.state]} {one.state}", one.name, one.kind, *measured, one.because)
