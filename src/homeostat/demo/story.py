"""The demo, told: part 1 replays a year under three policies, part 2 brings the product up and lets the world move."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from homeostat.app.backtest import backtest_project
from homeostat.app.project import load
from homeostat.app.wiring import open_house
from homeostat.core.errors import CheckFailed, Conflict
from homeostat.core.records.cycles import CycleState
from homeostat.demo.flights import flights
from homeostat.demo.live import Live, Story
from homeostat.demo.project import free_pair, write_project
from homeostat.retrain.report import as_html, as_table, sentences

if TYPE_CHECKING:
    import polars as pl

    from homeostat.retrain.backtest import Progress as Step
    from homeostat.retrain.backtest_result import BacktestResult

MODEL = "late-flights"
HISTORY = "56d"
SHOWN = ("never", "always", "policy")
LIVE_FROM = datetime(2013, 12, 1, tzinfo=UTC)
PATIENCE = timedelta(days=40)
_MARK = ".homeostat-demo"
_STYLES = {"watch": "bold red", "rollout": "bold green", "gate": "cyan", "loop": "yellow"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the demo showed, for the summary and for whoever asks for JSON."""

    backtest: "BacktestResult | None"
    story: Story | None
    report: Path | None
    folder: Path
    seconds: float


def play(folder: Path, *, parts: tuple[int, ...] = (1, 2), console: Console | None = None) -> Told:
    """Play the demo in a folder of its own; raise CheckFailed where it does not show what it promises."""
    out = console or Console(stderr=True, highlight=False)
    began = time.monotonic()
    _own_folder(folder)
    out.print(
        Panel(
            "A year of real flights out of New York. Will a flight arrive more than 15 minutes late?\n"
            "The share of late flights runs from 13 % in September to 33 % in December: the world moves by itself.",
            title="homeostat demo",
        )
    )
    rows = flights()
    late = rows.filter(rows["late"] == 1).height / rows.height
    out.print(f"{rows.height:,} flights, {late:.1%} late, each with the weather at its departure\n")
    backtest, report = _part_one(folder, rows, out) if 1 in parts else (None, None)
    story = _part_two(folder, rows, out) if 2 in parts else None
    return Told(backtest=backtest, story=story, report=report, folder=folder, seconds=time.monotonic() - began)


def _own_folder(folder: Path) -> None:
    """Empty the folder of an earlier demo; refuse one that holds anything else."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / _MARK).exists():
            raise Conflict(f"{folder} is not empty and not an earlier demo's", hint="give another folder with --out")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).touch()


def _part_one(folder: Path, rows: "pl.DataFrame", out: Console) -> "tuple[BacktestResult, Path]":
    out.rule("1  What would each policy have done with this year?")
    out.print("Eight weeks are history; the rest of the year is replayed week by week, in simulated time.\n")
    place = load(write_project(folder / "backtest", rows, model=MODEL, source="flights-2013.parquet"))
    house = open_house(place, writer_id=f"demo-{os.getpid()}", actor="demo")
    with _bars(out) as tell:
        found = backtest_project(house, policies=SHOWN, history=HISTORY, progress=tell)
    report = folder / "backtest.html"
    report.write_text(as_html(found), encoding="utf-8")
    out.print(as_table(found))
    for sentence in sentences(found):
        out.print(f"  {sentence}")
    out.print(f"\n  the curves over the year: {report}\n")
    return found, report


def _part_two(folder: Path, rows: "pl.DataFrame", out: Console) -> Story:
    out.rule("2  Live: homeostat up, real requests, labels a day later")
    out.print(
        f"The model learns from the flights before {LIVE_FROM:%d %B %Y}. Then December comes, day by day, over HTTP:\n"
        "one request per airport and hour. A day takes a fraction of a second here.\n"
    )
    port = free_pair()
    file = write_project(folder / "live", rows, model=MODEL, source="history.parquet", until=LIVE_FROM, port=port)
    with _days(out) as (say, progress):
        story = Live(file, rows, start=LIVE_FROM, say=say).run(patience_days=PATIENCE.days, progress=progress)
    _check(story)
    return story


def _check(story: Story) -> None:
    """The demo promises something; a demo that breaks its word must say so."""
    broken = []
    if story.alert is None:
        broken.append("no alert came")
    if story.renewed is None or story.renewed.trigger == "manual":
        broken.append("no renewal by itself came")
    if story.bad is None or story.bad.state is not CycleState.ROLLED_BACK:
        broken.append(f"the bad challenger ended as {story.bad.state.value if story.bad else 'nothing'}")
    if story.tally.failed:
        broken.append(f"{story.tally.failed} requests failed, the first: {story.tally.failures[0]}")
    if broken:
        raise CheckFailed(f"the demo did not show what it promises: {'; '.join(broken)}", hint="please report this")


@contextmanager
def _bars(out: Console) -> "Iterator[Callable[[Step], None]]":
    if not out.is_terminal:
        last = [time.monotonic()]

        def line(step: "Step") -> None:
            if time.monotonic() - last[0] >= 10.0:
                last[0] = time.monotonic()
                out.print(f"  {step.policy}: week {step.done} of {step.steps}")

        yield line
        return
    columns = (
        TextColumn("  {task.description:<8}"),
        BarColumn(),
        TextColumn("{task.fields[now]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=out, transient=True) as bars:
        tasks = {name: bars.add_task(name, total=None, now="") for name in SHOWN}

        def tell(step: "Step") -> None:
            bars.update(tasks[step.policy], total=step.steps, completed=step.done, now=step.now[:10])

        yield tell


@contextmanager
def _days(out: Console) -> "Iterator[tuple[Callable[[str, str], None], Callable[[str], None]]]":
    now = [""]

    def say(who: str, what: str) -> None:
        out.print(f"  {now[0]:>15}  [{_STYLES.get(who, 'dim')}]{who:<9}[/] {what}", markup=True, soft_wrap=True)

    if not out.is_terminal:
        yield say, lambda day: now.__setitem__(0, day)
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=out, transient=True) as spinner:
        task = spinner.add_task("starting")

        def progress(day: str) -> None:
            now[0] = day
            spinner.update(task, description=f"replaying {day}")

        yield say, progress


def summary(told: Told) -> str:
    """Return what happened, where the report is, and the next command."""
    lines = [f"Done in {told.seconds:.0f} s."]
    if told.backtest is not None:
        never, always, policy = (told.backtest.policy(name) for name in SHOWN)
        if never and always and policy:
            gain = (never.metrics["log_loss"] - policy.metrics["log_loss"]) / (
                never.metrics["log_loss"] - always.metrics["log_loss"]
            )
            lines.append(
                f"  Over the year the policy kept {gain:.0%} of what retraining every week gains, with {policy.retrainings} "
                f"retrainings instead of {always.retrainings}."
            )
    if told.story is not None and told.story.renewed is not None and told.story.bad is not None:
        tally = told.story.tally
        lines += [
            f"  Live: {tally.requests:,} requests for {tally.rows:,} flights, {tally.failed} failed.",
            f"  Noticed:    {told.story.alert}",
            f"  Renewed:    version {told.story.renewed.version}, through gate, shadow and canary",
            f"  Protected:  version {told.story.bad.version}, forced past the gate, was rolled back by itself",
            f"              ({told.story.bad.outcome['because']})",
        ]
    if told.report is not None:
        lines.append(f"  Report:     {told.report}")
    lines.append(
        f"  Who did what, provably: cd {told.folder / 'live'} && homeostat audit list && homeostat audit verify"
    )
    lines.append("  Your own data:          homeostat init DATA.csv --target COLUMN")
    return "\n".join(lines)
