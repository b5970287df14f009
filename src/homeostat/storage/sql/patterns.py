"""Regular expressions of clients, in an engine whose time is linear in the text (Rust's, through polars): none can hold a reader up."""

from homeostat.core.errors import InvalidInput


def matches(pattern: str, text: str | None) -> bool:
    """Return whether the pattern is found anywhere in the text.

    >>> matches("^a+b$", "aab"), matches("^a+b$", "ba"), matches("a", None)
    (True, False, False)
    """
    import polars as pl

    return text is not None and bool(pl.Series([text]).str.contains(pattern).item())


def check_pattern(pattern: str) -> None:
    """Refuse what that engine cannot read: mistakes, look-around, back references, what would grow too big."""
    import polars as pl

    try:
        matches(pattern, "")
    except pl.exceptions.ComputeError as error:
        raise InvalidInput(
            f"Invalid regular expression {pattern[:200]!r}", hint="look-around and back references are not taken"
        ) from error
