"""How often what was promised came true, in words, for people."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeostat.cli.output import table

if TYPE_CHECKING:
    from homeostat.watch.profile.answers import AnswerSketch


def told(answers: "AnswerSketch | None") -> dict[str, Any]:
    """Return what is told of the answers of a window; nothing where it kept none."""
    if answers is None:
        return {}
    of = answers.reliability
    residuals = answers.residuals
    return {
        "answers": answers.rows - answers.spoilt,
        "labelled": answers.labelled,
        "accuracy": answers.accuracy,
        "promised": None if of is None or not sum(of.labelled) else sum(of.promised) / sum(of.labelled),
        "came_true": None if of is None else of.rate,
        "calibration_error": None if of is None else of.error,
        "mean_residual": residuals.mean if residuals.count else None,
        "rmse": math.sqrt(residuals.m2 / residuals.count + residuals.mean**2) if residuals.count else None,
    }


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
