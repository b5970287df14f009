"""How far a long count has come: a bar on a terminal, elsewhere a line every ten seconds, nothing where JSON is wanted."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from homeostat.cli.output import say, wants_json

_LINE_S = 10.0


@contextmanager
def counting(text: str, *, of: str = "rows") -> Iterator[Callable[[int, int | None], None]]:
    """Yield a function that takes what is done (`of` is the word for it), and all there is where that is known."""
    if wants_json():
        yield lambda _done, _all: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn(text), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as progress:
            bar = progress.add_task(text, total=None)
            yield lambda done, whole: progress.update(bar, completed=done, total=whole)
    else:
        said = time.monotonic()

        def tell(done: int, whole: int | None) -> None:
            nonlocal said
            if time.monotonic() - said >= _LINE_S:
                said = time.monotonic()
                say(f"{text} ... {done:,}" + (f" of {whole:,}" if whole else "") + f" {of}".rstrip())

        yield tell
