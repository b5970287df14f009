"""Where in the user's own files an error came from."""

import traceback
from pathlib import Path


def blame(error: BaseException, root: Path) -> str:
    """Return `file:line in function` of the last frame below `root`; `file:line` of a syntax error; '' where there is none."""
    home = root.resolve()
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(Path(error.filename), home)}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename), home)]
    if not own:
        return ""
    last = own[-1]
    return f"{_short(Path(last.filename), home)}:{last.lineno} in {last.name}"


def told(error: BaseException, root: Path) -> str:
    """Return the error in one line: its type, its message and where the user's code raised it."""
    lines = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {lines[0][:500]}" if lines else type(error).__name__
    where = blame(error, root)
    return f"{message} ({where})" if where else message


def _is_own(path: Path, home: Path) -> bool:
    return path.is_relative_to(home) and "site-packages" not in path.parts


def _short(path: Path, home: Path) -> str:
    return str(path.relative_to(home)) if path.is_relative_to(home) else str(path)
