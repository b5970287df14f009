"""The data of a project, as the commands ask for them."""

from collections.abc import Iterator
from typing import Any

from homeostat.app.making import workshop
from homeostat.app.wiring import House
from homeostat.core.errors import NotFound
from homeostat.core.records.data import DatasetVersion


def add(
    house: House, *, source: str | None, query: str | None = None, actor: str | None = None
) -> tuple[DatasetVersion, bool]:
    """Commit what is at the source (the project's by default); return the version and whether it is new."""
    data = house.project.data
    with house.store.read() as tx:
        before = tx.datasets.latest(house.project.model)
    shop = workshop(house, actor=actor)
    version = shop.commit_source(source or data.source, query=query or (data.query if source is None else None))
    return version, before is None or version.version > before.version


def version_of(house: House, number: int | None) -> DatasetVersion:
    """Return a version of the project's data (None: the newest); NotFound with what there is."""
    with house.store.read() as tx:
        found = tx.datasets.latest(house.project.model) if number is None else None
        if found is not None:
            return found
        if number is not None:
            return tx.datasets.get(house.project.model, number)
    raise NotFound(
        f"data '{house.project.model}' have no version yet", hint="`homeostat data commit` makes the first one"
    )


def contract_of(house: House) -> dict[str, Any]:
    """Return the contract in force: what was inferred from the first version, with the project's own rules."""
    from homeostat.data.contract import Contract, apply_overrides

    with house.store.read() as tx:
        inferred = tx.datasets.contract(house.project.model)
    if inferred is None:
        raise NotFound(
            f"data '{house.project.model}' have no contract yet",
            hint="`homeostat data commit` infers it from the first version",
        )
    return apply_overrides(Contract.from_json(inferred), house.project.data.contract).to_json()


def profile_rows(version: DatasetVersion) -> Iterator[tuple[object, ...]]:
    """Yield a row per column: name, kind, missing, distinct, least, middle, most (categories: the most frequent)."""
    from homeostat.data.profile import CategoryProfile, NumberProfile, Profile, TextProfile, TimeProfile

    for name, column in Profile.from_json(version.profile).columns.items():
        missing = column.nulls + (column.nans if isinstance(column, NumberProfile) else 0)
        head = (name, column.kind, f"{missing / column.count:.1%}" if column.count else None)
        match column:
            case NumberProfile():
                yield (*head, None, column.min, column.quantiles.get("0.5"), column.max)
            case CategoryProfile():
                ranked = sorted(column.counts.items(), key=lambda pair: -pair[1])
                often = [f"{value} ({count:,})" for value, count in ranked[:3]]
                yield (*head, column.distinct, *[*often, None, None, None][:3])
            case TimeProfile():
                yield (*head, None, column.min, None, column.max)
            case TextProfile():
                lengths = (column.min_length, column.mean_length, column.max_length)
                yield (*head, column.distinct, *(f"{length:.0f} characters" for length in lengths))
