"""Drift between two tables, from what a user names: files, globs or kept profiles. No project is needed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from homeostat.app.making import write_text
from homeostat.core.errors import InvalidInput, NotEnoughData
from homeostat.watch.comparison.html import as_html
from homeostat.watch.comparison.result import Comparison
from homeostat.watch.comparison.roles import Named
from homeostat.watch.comparison.run import compare_profiles, compare_tables
from homeostat.watch.comparison.tables import kinds_of, open_table, profile_table, size_in_rows
from homeostat.watch.profile import WindowProfile
from homeostat.watch.settings import DriftSettings

Tell = Callable[[int, int | None], None]
By = Literal["auto", "rows", "profiles"]
MOST_BYTES = 1 << 30  # what the rows of both sides may take before they are compared by their profiles
_PROFILE = ".json"


def drift_report(
    reference: str,
    current: str,
    *,
    root: Path,
    output: Path | None,
    settings: DriftSettings,
    named: Named = Named(),  # noqa: B008 - frozen
    by: By = "auto",
    on: str = "here",
    tell: Tell = lambda _done, _all: None,
) -> Comparison:
    """Return the comparison of two tables, and write it as a page. `named`: the columns of a model's answers.

    All rows are compared where they fit into a gigabyte, else the profiles of both. Raise InvalidInput for what cannot be read,
    NotEnoughData where no column could be compared (nothing is written then: an empty report would look like a good one).
    """
    if output is not None and not output.absolute().parent.is_dir():
        raise InvalidInput(f"there is no folder '{output.absolute().parent}'", hint="make it, or name another output")
    is_kept = any(asked.endswith(_PROFILE) for asked in (reference, current))
    if by == "auto":
        by = "profiles" if is_kept or not _fit(reference, current, root=root) else "rows"
    if by == "rows":
        if is_kept:
            raise InvalidInput("a profile has no rows to compare", hint="leave --by out, or name the tables themselves")
        found = compare_tables(
            open_table(reference, root=root), open_table(current, root=root), settings=settings, named=named, tell=tell
        )
    else:
        found = _by_profiles(reference, current, root=root, settings=settings, named=named, on=on, tell=tell)
    if found.state == "unknown":
        reasons = "; ".join(f"{one.name}: {one.because}" for one in found.columns[:3])
        raise NotEnoughData(f"{found.summary} ({reasons})", hint="give more rows, or lower --min-rows")
    if output is not None:
        write_text(output, as_html(found))
    return found


def drift_profile(
    asked: str,
    *,
    root: Path,
    output: Path,
    like: str | None = None,
    named: Named = Named(),  # noqa: B008 - frozen
    on: str = "here",
    tell: Tell = lambda _done, _all: None,
) -> WindowProfile:
    """Return the profile of a table of any size, and write it as JSON; `like`: a profile whose kinds, bins and columns of answers are used."""
    if like is not None and not named.is_empty:
        raise _named_already(like)
    reference = None if like is None else kept_profile(like, root=root)
    found = profile_table(asked, root=root, like=reference, named=named, on=on, tell=tell)
    beside = output.with_name(f"{output.name}.part")
    write_text(beside, found.to_bytes().decode())
    os.replace(beside, output)  # noqa: PTH105 - the file is whole or not there
    return found


def kept_profile(asked: str, *, root: Path) -> WindowProfile:
    """Return a profile from its file; raise InvalidInput where there is none."""
    path = root / Path(asked).expanduser()
    try:
        return WindowProfile.from_bytes(path.read_bytes())
    except OSError as error:
        raise InvalidInput(
            f"cannot read the profile '{asked}': {error.strerror}", hint=f"paths start at {root}"
        ) from error


def _named_already(profile: str) -> InvalidInput:
    return InvalidInput(
        f"the profile '{profile}' says which columns hold the answers",
        hint="leave --prediction, --score, --label and --positive out, or make that profile anew with them",
    )


def _fit(*tables: str, root: Path) -> bool:
    """Return whether the rows of the tables may be compared at once; a source that does not tell its size is read."""
    return sum(size_in_rows(asked, root=root) or 0 for asked in tables) <= MOST_BYTES


def _by_profiles(
    reference: str, current: str, *, root: Path, settings: DriftSettings, named: Named, on: str, tell: Tell
) -> Comparison:
    if reference.endswith(_PROFILE) and not named.is_empty:
        raise _named_already(reference)
    kinds = None if current.endswith(_PROFILE) else kinds_of(current, root=root)
    if reference.endswith(_PROFILE):
        before = kept_profile(reference, root=root)
    else:
        before = profile_table(reference, root=root, named=named, on=on, tell=tell)
    done = 0 if reference.endswith(_PROFILE) else before.rows
    after = (
        kept_profile(current, root=root)
        if current.endswith(_PROFILE)
        else profile_table(
            current,
            root=root,
            like=before,
            on=on,
            tell=lambda rows, total: tell(done + rows, None if total is None else done + total),
        )
    )
    return compare_profiles(before, after, settings=settings, names=(reference, current), kinds=kinds)
