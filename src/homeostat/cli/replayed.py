"""A backtest on the terminal: its progress while it runs, and its table when it is over."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from homeostat.cli.output import drawn, say, wants_json

if TYPE_CHECKING:
    from homeostat.retrain.backtest import Progress
    from homeostat.retrain.backtest_result import BacktestResult

_LINE_S = 10.0


@contextmanager
def following() -> "Iterator[Callable[[Progress], None] | None]":
    """Give what takes progress: a bar per policy on a terminal, elsewhere a line every 10 s."""
    if wants_json():
        yield None
    elif sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        yield _Lines()


class _Lines:
    """Says where each policy is, at most every 10 s."""

    def __init__(self) -> None:
        self._done: dict[str, str] = {}
        self._said = time.monotonic()
        say("replaying the history ...")

    def __call__(self, progress: "Progress") -> None:
        self._done[progress.policy] = f"{progress.policy} {progress.done} of {progress.steps}"
        if time.monotonic() - self._said >= _LINE_S:
            self._said = time.monotonic()
            say(f"replaying ... {', '.join(self._done.values())}")


@contextmanager
def _bars() -> "Iterator[Callable[[Progress], None]]":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, TextColumn("{task.fields[now]}"), console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def tell(progress: "Progress") -> None:
            if progress.policy not in tasks:
                tasks[progress.policy] = bars.add_task(progress.policy, total=progress.steps, now="")
            bars.update(tasks[progress.policy], completed=progress.done, now=progress.now[:16].replace("T", " "))

        yield tell


def policies_text(found: "BacktestResult") -> str:
    """Return one row per policy, and what happened in a few sentences."""
    from homeostat.retrain.report import as_table, as_text, sentences

    shown = drawn(as_table(found)) if sys.stdout.isatty() else as_text(found)
    return "\n".join([shown, "", *sentences(found)])
