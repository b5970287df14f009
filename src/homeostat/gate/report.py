"""The gate's report as a table, Markdown, JSON, or one HTML page that needs nothing else."""

import html
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from homeostat.gate.check import Result
from homeostat.gate.page import PAGE
from homeostat.gate.stats import Interval
from homeostat.gate.suite import SuiteReport

if TYPE_CHECKING:
    from rich.table import Table

_SIGNS = {"<=": "≤", ">=": "≥", "<": "<", "==": "="}
_MARKDOWN = re.compile(r"([\\`*\[\]<>|&~]|(?<!\w)_|_(?!\w))")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """One result in words."""

    state: str
    check: str
    value: str
    limit: str
    interval: str
    reason: str


def as_json(report: SuiteReport) -> str:
    """Return the report as indented JSON, without NaN."""
    return json.dumps(report.to_json(), indent=2, allow_nan=False, ensure_ascii=False)


def as_table(report: SuiteReport) -> "Table":
    """Return a rich table; names and reasons from the data are shown as they are, never read as markup."""
    from rich.table import Table
    from rich.text import Text

    colours = {"pass": "green", "FAIL": "bold red", "n/a": "dim"}
    table = Table(title=Text(headline(report)), title_justify="left", show_lines=False)
    for name in ("state", "check", "value", "limit", "interval", "why"):
        table.add_column(name, overflow="fold", justify="right" if name in {"value", "limit"} else "left")
    for line in map(_line, report.results):
        cells = (line.check, line.value, line.limit, line.interval, line.reason)
        state = Text(f"{_shape(line.state)} {line.state}", style=colours[line.state])
        table.add_row(state, *(Text(_one_line(cell)) for cell in cells))
    return table


def as_markdown(report: SuiteReport) -> str:
    """Return a heading, one sentence and a table, fit for a comment on a change."""
    facts = "".join(f"- {_plain(key)}: {_plain(value)}\n" for key, value in report.about.items())
    rows = [
        "| " + " | ".join([f"{_shape(line.state)} {line.state}", *(_plain(cell) for cell in cells)]) + " |"
        for line in map(_line, report.results)
        for cells in [(line.check, line.value, line.limit, line.interval, line.reason)]
    ]
    head = "| state | check | value | limit | interval | why |\n|---|---|--:|--:|---|---|"
    return f"## {_plain(headline(report))}\n\n{facts}\n{head}\n" + "\n".join(rows) + "\n"


def as_html(report: SuiteReport) -> str:
    """Return one page: no script, nothing loaded from elsewhere, every word from the data escaped."""
    facts = "".join(f"<dt>{_safe(key)}</dt><dd>{_safe(value)}</dd>" for key, value in report.about.items())
    rows = "".join(_row(result, _line(result)) for result in report.results)
    return PAGE.substitute(
        title=_safe(headline(report)), state="pass" if report.passed else "fail", facts=facts, rows=rows
    )


def headline(report: SuiteReport) -> str:
    """Return the verdict in one sentence."""
    return f"Gate {'passed' if report.passed else 'failed'}: {report.summary}"


def _line(result: Result) -> _Line:
    state = {True: "pass", False: "FAIL", None: "n/a"}[result.passed]
    interval = ""
    if result.interval is not None and math.isfinite(result.interval.low):
        interval = f"{result.interval.low:.4g} to {result.interval.high:.4g}"
    return _Line(
        state=state,
        check=f"{result.check}: {result.subject}" if result.subject else result.check,
        value=_number(result.value),
        limit=f"{_SIGNS[result.wanted]} {_number(result.limit)}" if _number(result.limit) else "",
        interval=interval,
        reason=result.reason,
    )


def _number(value: float | None) -> str:
    return "" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _shape(state: str) -> str:
    return {"pass": "✓", "FAIL": "✗", "n/a": "–"}[state]


def _one_line(text: object) -> str:
    """Texts from the data without line ends and control characters."""
    return "".join(char if char.isprintable() else " " for char in str(text))


def _plain(text: object) -> str:
    """Markdown that reads as the text itself."""
    return _MARKDOWN.sub(r"\\\1", _one_line(text))


def _safe(text: object) -> str:
    return html.escape(_one_line(text), quote=True)


def _row(result: Result, line: _Line) -> str:
    kind = {"pass": "pass", "FAIL": "fail", "n/a": "none"}[line.state]
    cells = [
        f'<td class="state">{_shape(line.state)} {line.state}</td>',
        f"<th scope=row>{_safe(line.check)}</th>",
        f"<td class=number>{_safe(line.value)}</td>",
        f"<td class=number>{_safe(line.limit)}</td>",
        f"<td>{_picture(result.interval, result.limit)}<small>{_safe(line.interval)}</small></td>",
        f"<td>{_safe(line.reason)}{_segments(result)}</td>",
    ]
    return f'<tr class="{kind}">{"".join(cells)}</tr>\n'


def _picture(interval: Interval | None, limit: float | None) -> str:
    """The interval as a bar, the estimate as a dot, the limit as a line, on one scale."""
    if interval is None or not math.isfinite(interval.low + interval.high + interval.estimate):
        return ""
    points = [interval.low, interval.high, interval.estimate] + ([] if limit is None else [limit])
    low, span = min(points), (max(points) - min(points)) or 1.0

    def x(value: float) -> float:
        return round(6 + 148 * (value - low) / span, 1)

    width = max(2.0, x(interval.high) - x(interval.low))
    line = "" if limit is None else f'<line class=limit x1="{x(limit)}" x2="{x(limit)}" y1="1" y2="17"/>'
    return (
        '<svg viewBox="0 0 160 18" width="160" height="18" aria-hidden="true">'
        f'<rect class=bar x="{x(interval.low)}" y="7" width="{width:.1f}" height="4"/>'
        f'<circle class=dot cx="{x(interval.estimate)}" cy="9" r="4"/>{line}</svg>'
    )


def _segments(result: Result) -> str:
    """The segments of a slice, worst first, folded away."""
    listed = result.details.get("segments")
    if not listed:
        return ""
    rows = "".join(
        f"<tr><td>{_safe(s['segment'])}</td><td class=number>{s['rows']}</td>"
        f"<td class=number>{_number(s['value'])}</td><td class=number>{_number(s['gap'])}</td></tr>"
        for s in listed
    )
    head = f"<tr><th>segment<th>rows<th>{_safe(result.details.get('metric', ''))}<th>gap to the whole</tr>"
    return f"<details><summary>{len(listed)} segments</summary><table>{head}{rows}</table></details>"
