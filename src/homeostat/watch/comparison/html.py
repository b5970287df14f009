"""The comparison as one HTML page that needs nothing else: no script, nothing loaded, every word from the data escaped."""

import html

from homeostat.core.states import SHAPES
from homeostat.watch.comparison.page import PAGE
from homeostat.watch.comparison.result import ColumnVerdict, Comparison, Picture
from homeostat.watch.joint import JointDrift
from homeostat.watch.verdict import Drift

_WIDTH, _HEIGHT = 240, 64
_LONGEST = 200
_SHARES = ("missing", "infinite", "spoilt", "no answer", "accuracy", "calibration error", "came true")
_KEY = (
    '<svg class="key" width="26" height="12" aria-hidden="true"><rect class="ours" width="26" height="12"/></svg> reference '
    '<svg class="key" width="26" height="12" aria-hidden="true"><path class="theirs" d="M0 6H26"/></svg> current. '
    "Numbers are in bins that hold equally many rows of the reference. A column moves where a distance reaches its limit "
    "and chance (after Benjamini-Hochberg over the whole page) is below {alpha:g}."
)


def as_html(found: Comparison) -> str:
    """Return the page. About 3 KB a column, whatever the data."""
    facts = {
        "reference": f"{found.reference}: {found.reference_rows:,} rows",
        "current": f"{found.current}: {found.current_rows:,} rows",
        "compared by": "all rows"
        if found.by == "rows"
        else "profiles: exact counts and moments, quantiles within 1.3 %",
    }
    return PAGE.substitute(
        title=_safe(headline(found)),
        state=found.state,
        facts="".join(f"<dt>{name}</dt><dd>{_safe(value)}</dd>" for name, value in facts.items()),
        notes="".join(f'<p class="note">{_safe(note)}</p>' for note in found.notes),
        key=_KEY.format(alpha=found.alpha),
        answers="" if found.answers is None else _answers(found.answers),
        rows="".join(map(_row, found.columns)),
    )


def headline(found: Comparison) -> str:
    """Return the verdict in one sentence."""
    words = {"ok": "No drift", "warn": "Drift, below the limits of alarm", "alarm": "Drift", "unknown": "Not known"}
    return f"{words[found.state]}: {found.summary}"


def _answers(answers: ColumnVerdict) -> str:
    """Return the section of the model's answers: their verdict, how scores are spread, and how often they came true."""
    pictures = [
        ("shares of the rows by score", answers.picture),
        ("how often it came true, by score", answers.reliability),
    ]
    shown = "".join(
        f"<figure><figcaption>{title}</figcaption>{_picture(one)}</figure>"
        for title, one in pictures
        if one is not None
    )
    return (
        f'<section class="{answers.state}"><h2 class="state">{SHAPES[answers.state]} predictions: {answers.state}</h2>'
        f"<p>{_safe(answers.because)}</p>{shown}<table>{''.join(map(_measure, answers.drifts))}</table>{_facts(answers)}</section>"
    )


def _row(column: ColumnVerdict) -> str:
    cells = [
        f'<td class="state">{SHAPES[column.state]} {column.state}</td>',
        f"<th scope=row>{_safe(column.name)}<small>{column.kind or ''}</small></th>",
        f"<td>{'' if column.picture is None else _picture(column.picture)}</td>",
        f"<td><table>{''.join(map(_measure, column.drifts))}{''.join(map(_together, column.joint))}</table></td>",
        f'<td class="words">{_safe(column.because)}{_facts(column)}</td>',
    ]
    return f'<tr class="{column.state}">{"".join(cells)}</tr>\n'


def _measure(drift: Drift) -> str:
    chance = "-" if drift.adjusted is None else f"{drift.adjusted:.2g}"
    return (
        f"<tr><td>{_safe(drift.method.replace('_', ' '))}</td>"
        f'<td class="number">{drift.effect:.3g} ({drift.alarm:g})</td><td class="number">{chance}</td></tr>'
    )


def _together(drift: JointDrift) -> str:
    return (
        f"<tr><td>{_safe(drift.method)}</td>"
        f'<td class="number">{drift.effect:.3g} ({drift.alarm:g})</td><td class="number">{drift.p_value:.2g}</td></tr>'
    )


def _picture(picture: Picture) -> str:
    """Return the reference's shares as bars and the current ones as a line of steps, in one scale."""
    highest = max([*picture.reference, *picture.current], default=0.0) or 1.0
    wide = _WIDTH / max(1, len(picture.labels))
    bars: list[str] = []
    steps: list[str] = []
    for at, (label, ours, theirs) in enumerate(zip(picture.labels, picture.reference, picture.current, strict=True)):
        x, top, level = at * wide, _HEIGHT * ours / highest, _HEIGHT * (1 - theirs / highest)
        bars.append(
            f'<rect class="ours" x="{x:.1f}" y="{_HEIGHT - top:.1f}" width="{max(wide - 1, 0.5):.1f}" height="{top:.1f}"/>'
            f'<rect x="{x:.1f}" width="{wide:.1f}" height="{_HEIGHT}" fill="transparent">'
            f"<title>{_safe(label)}: {ours:.1%}, now {theirs:.1%}</title></rect>"
        )
        steps.append(f"{'L' if steps else 'M'}{x:.1f} {level:.1f}H{x + wide:.1f}")
    return (
        f'<svg viewBox="0 -2 {_WIDTH} {_HEIGHT + 4}" width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label="shares of both sides">'
        f'{"".join(bars)}<path class="theirs" d="{"".join(steps)}"/></svg>'
    )


def _facts(column: ColumnVerdict) -> str:
    """Return what both sides are like, folded away."""
    ours, theirs = column.reference or {}, column.current or {}
    names = list(dict.fromkeys([*ours, *theirs]))
    if not names:
        return ""
    rows = "".join(
        f'<tr><td>{_safe(name)}</td><td class="number">{_fact(name, ours)}</td><td class="number">{_fact(name, theirs)}</td></tr>'
        for name in names
    )
    return f"<details><summary>numbers</summary><table><tr><th><th>reference<th>current</tr>{rows}</table></details>"


def _fact(name: str, side: dict[str, float | str]) -> str:
    value = side.get(name)
    if value is None:
        return "-"
    if isinstance(value, str):
        return _safe(value)
    if name in _SHARES:
        return f"{value:.2%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _safe(text: object) -> str:
    """Return text from the data on one line, of bounded length, that is no markup."""
    plain = "".join(char if char.isprintable() else " " for char in str(text)[:_LONGEST])
    return html.escape(plain, quote=True)
