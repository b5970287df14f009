"""How often what was promised came true, in words, for people."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.cli.output import table
from homeostat.watch.answered import told

if TYPE_CHECKING:
    from homeostat.watch.profile.answers import AnswerSketch


def calibration_text(windows: Sequence[Mapping[str, Any]], whole: "AnswerSketch | None") -> str:
    """Return windows as a table, oldest first, then all of them together by what was promised."""
    if whole is None:
        return "no window has kept its answers yet: one does when it is judged"
    names = [name for name, value in told(whole).items() if value is not None]
    rows = [(one["start"], *(one.get(name) for name in names)) for one in windows]
    parts = [
        table(
            ["from (UTC)", *(name.replace("_", " ") for name in names)],
            [*rows, ("together", *(told(whole)[name] for name in names))],
        )
    ]
    of = whole.reliability
    if of is None or not sum(of.labelled):
        return parts[0]
    bins = [
        (
            f"{at / len(of.counts):.2f} to {(at + 1) / len(of.counts):.2f}",
            of.counts[at],
            count,
            of.promised[at] / count,
            of.came[at] / count,
        )
        for at, count in enumerate(of.labelled)
        if count
    ]
    return "\n".join([*parts, table(["score", "answers", "labelled", "promised", "came true"], bins)])
