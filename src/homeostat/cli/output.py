"""What commands print: results to stdout (plain or JSON), everything else to stderr."""

import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from homeostat.core.errors import HomeostatError, InvalidRows

_FLAG = "HOMEOSTAT_JSON"
_LINE_S = 10.0
_PLAIN_WIDTH = 160


def wants_json() -> bool:
    return os.environ.get(_FLAG) == "1"


def use_json() -> None:
    os.environ[_FLAG] = "1"


def show(data: Any, text: str) -> None:
    """Print the result: `data` as JSON when asked for, else the text for people."""
    print(json.dumps(data, indent=2, default=_plain) if wants_json() else text, flush=True)  # noqa: T201


def say(text: str) -> None:
    """Tell the user something that is not the result."""
    if not wants_json():
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def next_step(command: str) -> None:
    say(f"next: {command}")


@contextmanager
def busy(text: str) -> Iterator[None]:
    """Say that something takes a while: a spinner on a terminal, elsewhere a line now and every 10 s."""
    if wants_json():
        yield
    elif sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(text):
            yield
    else:
        say(f"{text} ...")
        done = threading.Event()

        def tell() -> None:
            began = time.monotonic()
            while not done.wait(_LINE_S):
                say(f"{text} ... {time.monotonic() - began:.0f} s")

        teller = threading.Thread(target=tell, daemon=True)
        teller.start()
        try:
            yield
        finally:
            done.set()
            teller.join()


def drawn(renderable: Any) -> str:
    """Return what rich makes of it, coloured only for a terminal that wants colours."""
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    out = io.StringIO()
    width = None if is_terminal else _PLAIN_WIDTH
    Console(file=out, force_terminal=is_terminal, no_color="NO_COLOR" in os.environ, width=width).print(renderable)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())


def coloured(word: str, state: str) -> str:
    """Return the word, in the colour of a state on a terminal that wants colours."""
    code = {"ok": "32", "warn": "33", "alarm": "1;31", "passed": "32", "FAILED": "1;31"}.get(state)
    return f"\x1b[{code}m{word}\x1b[0m" if code and sys.stdout.isatty() and "NO_COLOR" not in os.environ else word


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a plain table: columns as wide as their widest cell, numbers to the right."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    right = [bool(cells) and all(_is_number(row[i]) for row in cells) for i in range(len(headers))]
    lines = [
        "  ".join(c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [list(headers), ["-" * w for w in widths], *cells]
    ]
    return "\n".join(lines)


def fail(error: HomeostatError) -> int:
    """Print the error and return the command's exit status."""
    if wants_json():
        body: dict[str, Any] = {"code": error.code, "message": error.message, "hint": error.hint}
        if isinstance(error, InvalidRows):
            body["fields"] = error.fields
        print(json.dumps({"error": body}, default=_plain), file=sys.stderr)  # noqa: T201
    else:
        print(f"{_red('error:')} {error.message}", file=sys.stderr)  # noqa: T201
        if error.hint:
            print(f"tip: {error.hint}", file=sys.stderr)  # noqa: T201
    return error.exit_status


def _red(text: str) -> str:
    return f"\x1b[1;31m{text}\x1b[0m" if sys.stderr.isatty() and "NO_COLOR" not in os.environ else text


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"  # no 1.842e+04 for people
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)


def _is_number(cell: str) -> bool:
    return (
        cell == "-"
        or cell.lstrip("-+").replace(",", "").replace(".", "", 1).replace("e-", "", 1).replace("%", "", 1).isdigit()
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if hasattr(value, "__struct_fields__"):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    return str(value)
