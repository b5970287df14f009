"""Two tables, or two profiles, column by column: only what is shown of a column outlives its turn."""

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from homeostat.core.columns import Kind
from homeostat.core.errors import InvalidInput
from homeostat.watch.comparison.answers import ANSWERS, NAME, compare_answers
from homeostat.watch.comparison.compare import SHARES, alone, compare_column, judged, unread
from homeostat.watch.comparison.result import ColumnVerdict, Comparison
from homeostat.watch.comparison.roles import Named, answer_columns, wanted
from homeostat.watch.comparison.side import Side, side_of_counts, side_of_rows, side_of_sketch
from homeostat.watch.comparison.tables import HEAD, Counted, Table, kind_of
from homeostat.watch.comparison.vectors import PROJECTIONS, compare_vectors, vectors_alone, vectors_of_rows
from homeostat.watch.methods import method, sample_kind
from homeostat.watch.profile import WindowProfile
from homeostat.watch.profile.answers import AnswerSketch, answer_sketch
from homeostat.watch.profile.category import TOP, CategorySketch, new_categories
from homeostat.watch.profile.numeric import NumberSketch, in_bins_of
from homeostat.watch.profile.vectors import vector_size
from homeostat.watch.settings import DriftSettings

Tell = Callable[[int, int | None], None]
_GROUPS = {
    Kind.INTEGER: "numbers",
    Kind.FLOAT: "numbers",
    Kind.CATEGORY: "words",
    Kind.TEXT: "words",
    Kind.BOOLEAN: "yes or no",
    Kind.DATETIME: "dates",
}
_OFTEN = 10  # rows in a category, on average
_NESTED = "it holds lists or structs, not single values or vectors of one length: split it into columns of its own"


def compare_tables(
    reference: Table,
    current: Table,
    *,
    settings: DriftSettings,
    named: Named = Named(),  # noqa: B008 - frozen
    tell: Tell = lambda _done, _all: None,
) -> Comparison:
    """Return the comparison from all rows, exact. `tell` gets how many columns are done, and all; `named` are the columns of a model's answers."""
    _refuse_unknown(settings)
    answers = _answers_of_rows(reference, current, named, settings)
    names = [*reference.columns, *(name for name in current.columns if name not in reference.columns)]
    found = []
    for at, name in enumerate(names, 1):
        found.append(_column(name, reference, current, settings))
        tell(at, len(names))
    return judged(
        found,
        names=(reference.name, current.name),
        rows=(reference.rows, current.rows),
        by="rows",
        settings=settings,
        answers=answers,
    )


def compare_profiles(
    reference: WindowProfile,
    current: WindowProfile,
    *,
    settings: DriftSettings,
    names: tuple[str, str],
    kinds: Mapping[str, Kind | None] | None = None,
    notes: Sequence[str] = (),
) -> Comparison:
    """Return the comparison from two profiles with the same bins. `kinds`: what the current columns are by themselves, where that is known."""
    _refuse_unknown(settings)
    found: list[ColumnVerdict] = []
    folded: list[str] = []
    for name, sketch in reference.columns.items():
        theirs = current.columns.get(name)
        if theirs is None:
            found.append(alone(name, side_of_sketch(sketch), is_gone=True))
            continue
        if isinstance(sketch, NumberSketch) and isinstance(theirs, NumberSketch):
            theirs = in_bins_of(sketch, theirs)
        elif type(sketch) is not type(theirs):
            raise InvalidInput(
                f"column '{name}' is {sketch.kind} in one profile and {theirs.kind} in the other",
                hint="profile the current rows with `--like` the reference's profile",
            )
        one = compare_column(name, side_of_sketch(sketch), side_of_sketch(theirs), settings=settings)
        if isinstance(sketch, CategorySketch) and isinstance(theirs, CategorySketch) and sketch.unnamed:
            folded.append(f"{name} ({sketch.unnamed:.0%} of the reference's values)")
            one = one.with_change(_turnover(sketch, theirs))
        is_now = None if kinds is None else kinds.get(name)
        change = "" if is_now is None else _change(sketch.kind, is_now)
        found.append(one.with_change(change) if change else one)
    for name, vectors in reference.vectors.items():
        now = current.vectors.get(name)
        found.append(
            vectors_alone(name, vectors, is_gone=True)
            if now is None
            else compare_vectors(name, vectors, now, settings=settings)
        )
    found += [unread(name, _NESTED) for name in reference.skipped]
    known = {*reference.columns, *reference.vectors, *reference.skipped}
    found += [vectors_alone(name, one, is_gone=False) for name, one in current.vectors.items() if name not in known]
    known |= current.vectors.keys()
    found += [
        alone(name, side_of_sketch(current.columns[name]) if name in current.columns else None, is_gone=False)
        for name in kinds or current.columns
        if name not in known
    ]
    return judged(
        found,
        names=names,
        rows=(reference.rows, current.rows),
        by="profiles",
        settings=settings,
        notes=[*notes, *_of_folded(folded)],
        answers=_answers(reference.answers, current.answers, settings),
    )


def _answers_of_rows(reference: Table, current: Table, named: Named, settings: DriftSettings) -> ColumnVerdict | None:
    names = wanted(reference.columns, named)
    frame = pl.DataFrame([reference.column(name) for name in names])
    roles = answer_columns(frame.head(HEAD), named)
    if roles is None:
        return None
    before = answer_sketch(frame, roles)
    if any(name not in current.columns for name in roles.needed):
        return _answers(before, None, settings)
    theirs = pl.DataFrame([current.column(name) for name in names if name in current.columns])
    return _answers(before, answer_sketch(theirs, roles, like=before), settings)


def _answers(
    reference: AnswerSketch | None, current: AnswerSketch | None, settings: DriftSettings
) -> ColumnVerdict | None:
    """Return what was measured of the answers; where only the reference has some, that this is so."""
    if reference is None:
        return None
    if current is None:
        return unread(NAME, f"the current rows do not have {', '.join(reference.columns.needed)}")
    if current.columns != reference.columns:
        raise InvalidInput(
            "the two profiles are of other answers",
            hint="profile the current rows with `--like` the reference's profile",
        )
    return compare_answers(reference, current, settings=settings)


def _column(name: str, reference: Table, current: Table, settings: DriftSettings) -> ColumnVerdict:
    if name not in current.columns:
        return alone(name, _only(reference, name), is_gone=True)
    if name not in reference.columns:
        return alone(name, _only(current, name), is_gone=False)
    before, after = _read(reference, name), _read(current, name)
    size = None if isinstance(before, Counted) else vector_size(before.head(HEAD))
    if size is not None and not isinstance(before, Counted):
        vectors = vectors_of_rows(before, size)
        words = after if not isinstance(after, Counted) else current.column(name)
        return compare_vectors(name, vectors, vectors_of_rows(words, size, like=vectors), settings=settings)
    was, now = kind_of(before), kind_of(after)
    if was is None or now is None:
        return unread(name, _NESTED)
    kind = was if _has_values(before) else now
    ours = _side(reference, before, kind)
    one = compare_column(name, ours, _side(current, after, kind, like=ours), settings=settings)
    return one.with_change(_change(was, now)) if _has_values(before) and _has_values(after) else one


def _read(table: Table, name: str) -> pl.Series | Counted:
    counted = table.counted(name)
    return table.column(name) if counted is None else counted


def _has_values(column: pl.Series | Counted) -> bool:
    if isinstance(column, Counted):
        return column.nulls < column.rows
    return column.null_count() < len(column)


def _side(table: Table, column: pl.Series | Counted, kind: Kind, *, like: Side | None = None) -> Side:
    if not isinstance(column, Counted):
        return side_of_rows(column, kind, like=like)
    if sample_kind(kind) == "category":
        return side_of_counts(column.counts, kind, rows=column.rows, nulls=column.nulls)
    return side_of_rows(table.column(column.name), kind, like=like)


def _only(table: Table, name: str) -> Side | None:
    column = _read(table, name)
    kind = kind_of(column)
    return None if kind is None else _side(table, column, kind)


def _change(was: Kind, now: Kind) -> str:
    before, after = _GROUPS[was], _GROUPS[now]
    return "" if before == after else f"it held {before}, and holds {after} now"


def _turnover(reference: CategorySketch, current: CategorySketch) -> str:
    """Return what can be told of categories without a name: that most are new, where they are no open list of values met once or twice.

    Only how many there are is known (HyperLogLog, within some percent), not how many rows they have.
    """
    new = new_categories(reference, current)
    named = reference.to_categories()
    are_met_often = named.other >= _OFTEN * (reference.distinct - len(named.counts))
    return (
        f"about {new:,} of its {current.distinct:,} categories are new"
        if are_met_often and 2 * new > current.distinct
        else ""
    )


def _of_folded(columns: Sequence[str]) -> list[str]:
    if not columns:
        return []
    listed = ", ".join(columns[:5]) + (f" and {len(columns) - 5} more" if len(columns) > 5 else "")
    return [
        f"A profile names the {TOP:,} most frequent categories; others are compared as one: {listed}. `--by rows` compares them all."
    ]


def _refuse_unknown(settings: DriftSettings) -> None:
    """Raise NotFound for a method that there is not, before anything is read."""
    known = {*SHARES, *ANSWERS, PROJECTIONS}
    for name in [*(settings.methods or ()), *(name for name in settings.thresholds if name not in known)]:
        method(name)
