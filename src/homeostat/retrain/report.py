"""A backtest for people: a table for the terminal, plain sentences, and a self-contained HTML page with the curves."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from homeostat.core.columns import Task
from homeostat.retrain.backtest_result import BacktestResult, PolicyResult, StepResult, Turn
from homeostat.retrain.report_advice import advice
from homeostat.retrain.report_chart import NARROW, chart, swatch
from homeostat.retrain.report_page import PAGE
from homeostat.track.usual import defaults

if TYPE_CHECKING:
    from rich.table import Table

_ACTED = ("promoted", "rejected", "rolled_back", "failed")
_WORDS = {"promoted": "retrained", "rejected": "rejected", "rolled_back": "rolled back", "failed": "failed"}
_CHARTS = 3
_OWN = ("policy", "triggers")
_NARROW = ("alerts", "retrainings", "CPU s", "cost")
_NAMES = {"roc_auc": "ROC AUC", "brier": "Brier score", "mae": "MAE", "rmse": "RMSE", "r2": "R²", "f1": "F1"}


def metric_names(result: BacktestResult) -> list[str]:
    """Return the metrics that were measured, the primary one first."""
    ordered = dict.fromkeys([result.primary, *defaults(Task(result.task))])
    return [name for name in ordered if any(name in one.metrics for one in result.policies)]


def headings(result: BacktestResult) -> list[str]:
    """Return the heads of the columns of `rows`."""
    found = ["policy", *map(_spaced, metric_names(result)), "worst step", "alerts", "retrainings", "trained", "CPU s"]
    found += ["cost"] if _have(result, "cost") else []
    return found + (["found", "false alarms"] if _have(result, "false_alarms") else [])


def _have(result: BacktestResult, name: str) -> bool:
    return any(getattr(one, name) is not None for one in result.policies)


def rows(result: BacktestResult) -> list[list[str]]:
    """Return one row of words for each policy."""
    return [
        [
            one.policy,
            *(_number(one.metrics.get(name)) for name in metric_names(result)),
            _number(None if one.worst is None else one.worst.value),
            str(one.alerts),
            str(one.retrainings),
            str(one.fits),
            f"{one.cpu_s:.1f}",
            *([] if one.cost is None else [f"{one.cost:,.6g}"]),
            *([] if one.false_alarms is None else [_found(one), str(one.false_alarms)]),
        ]
        for one in result.policies
    ]


def _found(one: PolicyResult) -> str:
    return f"{sum(each.found is not None for each in one.detections)} of {len(one.detections)}"


def as_table(result: BacktestResult) -> "Table":
    """Return the comparison as a rich table of 80 columns: three metrics, alerts, retrainings, CPU; the best metrics are bold."""
    from rich.table import Table
    from rich.text import Text

    heads, best = headings(result), _best(result)
    measured = len(metric_names(result))
    shown = [k for k in range(len(heads)) if k <= min(measured, _CHARTS) or heads[k] in _NARROW]
    table = Table(title=Text(f"{result.model}: {_replayed(result)}"), title_justify="left")
    for k in shown:
        table.add_column(Text(heads[k]), justify="left" if k == 0 else "right", no_wrap=True)
    for one, cells in zip(result.policies, rows(result), strict=True):
        bold = best.get(one.policy, set())
        table.add_row(*(Text(cells[k], style="bold" if k in bold else "") for k in shown))
    return table


def as_text(result: BacktestResult) -> str:
    """Return the comparison as plain text in columns."""
    lines = [headings(result), *rows(result)]
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if k == 0 else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def sentences(result: BacktestResult) -> list[str]:
    """Return what happened, in a few plain sentences."""
    return [*advice(result, metric=_spaced(result.primary)), *_happened(result)]


def _happened(result: BacktestResult) -> list[str]:
    never, always = result.policy("never"), result.policy("always")
    own = [one for one in result.policies if one.policy in _OWN]
    said = [sentence for one in own for sentence in _about(one, never, always, result)]
    if not own:
        said += [_figures(one, result) for one in result.policies]
    unanswered = [one for one in result.policies if one.answered < one.rows]
    said += [
        f"{one.policy}: {one.rows - one.answered:,} of {one.rows:,} rows had no champion to answer them, so its figures are of fewer rows."
        for one in unanswered
    ]
    return [*said, *result.notes]


def _about(
    one: PolicyResult, never: PolicyResult | None, always: PolicyResult | None, result: BacktestResult
) -> list[str]:
    said = [_figures(one, result)]
    primary = result.primary
    mine = one.metrics.get(primary)
    base = None if never is None else never.metrics.get(primary)
    most = None if always is None else always.metrics.get(primary)
    if mine is None or base is None:
        return said
    sign = -1.0 if result.higher_is_better.get(primary) else 1.0
    gain = sign * (base - mine)
    word = "better" if gain >= 0 else "worse"
    said.append(
        f"Never retraining would have had {_spaced(primary)} {base:.4g}: {one.policy} was {abs(gain):.3g} {word}."
    )
    if always is not None and most is not None:
        possible = sign * (base - most)
        share = f", {gain / possible:.0%} of what that gains" if possible > 0 and gain >= 0 else ""
        said.append(
            f"Retraining after every step: {most:.4g} with {_times(always.retrainings, 'retraining')} and {always.cpu_s:.0f} s of CPU"
            f"; {one.policy} took {_times(one.retrainings, 'retraining')} and {one.cpu_s:.0f} s{share}."
        )
    return said


def _figures(one: PolicyResult, result: BacktestResult) -> str:
    value = one.metrics.get(result.primary)
    if value is None:
        return f"{one.policy}: no row was answered; {one.start.because}."
    rejected = sum(step.turn.action in ("rejected", "rolled_back", "failed") for step in one.steps)
    gate = f", {_times(rejected, 'challenger')} not promoted" if rejected else ""
    return (
        f"{one.policy}: {_spaced(result.primary)} {value:.4g} over {one.answered:,} rows, {_times(one.alerts, 'alert')}, "
        f"{_times(one.retrainings, 'retraining')}{gate}."
    )


def as_html(result: BacktestResult) -> str:
    """Return the whole report as one page without scripts or outside resources; everything in it is escaped."""
    names = metric_names(result)
    return PAGE.substitute(
        title=escape(f"Backtest of {result.model}"),
        about=escape(f"Target {result.target} ({result.task}); {_replayed(result)}. {_known(result)}"),
        advice=_html_advice(result),
        sentences="".join(f"<p>{escape(sentence)}</p>\n" for sentence in _happened(result)),
        table=_html_table(result),
        charts="\n".join(_html_chart(result, name) for name in names[:_CHARTS]),
        turns=_html_turns(result),
        steps="\n".join(_html_steps(one, names, result) for one in result.policies),
    )


def _html_advice(result: BacktestResult) -> str:
    said = advice(result, metric=_spaced(result.primary))
    lines = "".join(f"<p>{escape(sentence)}</p>" for sentence in said)
    return f'<div class="advice">{lines}</div>' if said else ""


def _html_table(result: BacktestResult) -> str:
    best, heads = _best(result), headings(result)
    head = "".join(f'<th class="{"number" if k else "name"}">{escape(text)}</th>' for k, text in enumerate(heads))
    body = []
    for index, (one, cells) in enumerate(zip(result.policies, rows(result), strict=True)):
        bold = best.get(one.policy, set())
        is_taken = result.recommendation is not None and one.policy == result.recommendation.policy
        take = ' <span class="take">&#10003; recommended</span>' if is_taken else ""
        about = f"<small>{escape(one.description)}</small>"
        first = f'<td class="name">{swatch(index)}{escape(cells[0])}{take}{about}</td>'
        rest = "".join(
            f'<td class="number{" best" if k in bold else ""}" data-name="{escape(heads[k])}">{escape(cell)}</td>'
            for k, cell in enumerate(cells[1:], start=1)
        )
        body.append(f"<tr>{first}{rest}</tr>")
    return f"<thead><tr>{head}</tr></thead>\n<tbody>{''.join(body)}</tbody>"


def _html_chart(result: BacktestResult, name: str) -> str:
    broad, narrow = chart(result, name), chart(result, name, width=NARROW)
    if not broad:
        return ""
    sense = "higher is better" if result.higher_is_better.get(name) else "lower is better"
    changes = "; dotted line: a known change" if any(one.detections for one in result.policies) else ""
    legend = " &nbsp; ".join(f"{swatch(k)}{escape(one.policy)}" for k, one in enumerate(result.policies))
    return (
        f'<h2>{escape(_spaced(name))} <span class="note">{sense}</span></h2>\n<p class="note">{legend} &nbsp; '
        f'below: triangle an alert, dot a retraining, ring a challenger that was not promoted{changes}</p>\n<div class="broad">{broad}</div>\n<div class="narrow">{narrow}</div>'
    )


def _html_turns(result: BacktestResult) -> str:
    parts = []
    for one in result.policies:
        turns = [one.start, *(step.turn for step in one.steps)]
        acted = [turn for turn in turns if turn.action in _ACTED]
        lines = "".join(f"<tr>{_html_turn(turn, result)}</tr>" for turn in acted)
        is_open = " open" if one.policy not in ("never", "always") else ""
        parts.append(
            f"<details{is_open}><summary>{escape(one.policy)}: {_times(len(acted), 'cycle')}</summary>"
            f'<div class="wide"><table><tbody>{lines}</tbody></table></div></details>'
        )
    return "\n".join(parts)


def _html_turn(turn: Turn, result: BacktestResult) -> str:
    word = "first model" if turn.trigger == "first" and turn.action == "promoted" else _WORDS[turn.action]
    version = f" version {turn.version}" if turn.action == "promoted" else ""
    return (
        f"<td class=number>{escape(_when(turn.at, result))}</td><td>{escape(word + version)}</td>"
        f'<td class="words">{escape(turn.because)}</td>'
    )


def _html_steps(one: PolicyResult, names: Sequence[str], result: BacktestResult) -> str:
    head = "".join(f'<th class="number">{escape(_spaced(name))}</th>' for name in names)
    lines = "".join(_html_step(step, names, result) for step in one.steps)
    return (
        f"<details><summary>{escape(one.policy)}: {len(one.steps)} steps</summary>"
        f'<div class="wide"><table><thead><tr><th>from</th><th class="number">rows</th><th class="number">version</th>{head}'
        f"<th>watch</th><th>what it said, what was done</th></tr></thead><tbody>{lines}</tbody></table></div></details>"
    )


def _html_step(step: StepResult, names: Sequence[str], result: BacktestResult) -> str:
    values = "".join(
        f'<td class="number" data-name="{escape(_spaced(name))}">{_number(step.metrics.get(name))}</td>'
        for name in names
    )
    action = "" if step.turn.action == "none" else f"{step.turn.action}: {step.turn.because}"
    said = f"<small>{escape(step.summary)}</small>{escape(action)}"
    start = _when(step.start, result) if result.has_times else f"step {step.index + 1}"
    return (
        f'<tr><td class="number">{escape(start)}</td><td class="number" data-name="rows">{step.rows:,}</td>'
        f'<td class="number" data-name="version">{step.version if step.version is not None else "-"}</td>{values}'
        f'<td class="{escape(step.state)}">{escape(step.state)}</td><td class="words">{said}</td></tr>'
    )


def _best(result: BacktestResult) -> dict[str, set[int]]:
    """Return, by policy, the columns of `rows` in which it has the best metric."""
    found: dict[str, set[int]] = {}
    for column, name in enumerate(metric_names(result), start=1):
        sign = 1.0 if result.higher_is_better.get(name) else -1.0
        measured = [one for one in result.policies if name in one.metrics]
        if len(measured) > 1:
            best = max(measured, key=lambda one: sign * one.metrics[name])
            found.setdefault(best.policy, set()).add(column)
    return found


def _replayed(result: BacktestResult) -> str:
    steps = len(result.policies[0].steps) if result.policies else 0
    span = f" from {result.begin[:10]} to {result.end[:10]}" if result.has_times else ""
    return (
        f"{result.replayed_rows:,} rows{span} replayed in {steps} steps after {result.history_rows:,} rows of history"
    )


def _known(result: BacktestResult) -> str:
    return "Labels known at once." if result.label_delay == "0s" else f"Labels known after {result.label_delay}."


def _when(at: str, result: BacktestResult) -> str:
    if result.has_times:
        return at[:16].replace("T", " ")
    ends = {step.end: f"after step {step.index + 1}" for step in result.policies[0].steps}
    return ends.get(at, "at the start")


def _times(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _spaced(name: str) -> str:
    return _NAMES.get(name) or name.replace("_", " ")


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"
