"""Taking a version that a client registered into the loop: by a cycle that judges it and puts it to work instead of training one."""

from homeostat.app.cycles import ask_by_hand, refuse_where_not_served
from homeostat.app.promoting import which_version
from homeostat.app.wiring import House
from homeostat.core.records.cycles import Cycle
from homeostat.core.records.registry import ModelVersion
from homeostat.registry import clients, names
from homeostat.registry.adopting import refuse_without_package
from homeostat.registry.declared import Examined
from homeostat.registry.sources import Source


def ask_to_adopt(
    house: House, which: str, *, because: str, force: str | None, must_be_served: bool
) -> tuple[Cycle, bool]:
    """Ask for a cycle that takes `name@3`, `name@alias` or `3`; return it with whether a server is up to run it.

    A version of another model is first copied to the project's.
    """
    asked = which_version(house, which)
    refuse_where_not_served(house, must_be_served=must_be_served)
    told = because or f"{asked.model} version {asked.version}, registered by {asked.user or 'a client'}"
    found = of_project(house, asked)
    return ask_by_hand(house, because=told, force=force, must_be_served=must_be_served, version=found.version)


def of_project(house: House, version: ModelVersion) -> ModelVersion:
    """Return the version, or its copy in the project's model; raise NotFound where there is no package of it here."""
    if not version.location:
        refuse_without_package(version)
    model = house.project.model
    if version.model == model:
        return version
    now = house.clock.now()
    source = Source(
        source=f"models:/{version.model}/{version.version}",
        location=version.location,
        run_id=version.run_id,
        model_id=version.model_id,
        copied=version,
        lineage={"copied_from": f"{version.model}/{version.version}"},
    )
    with house.store.write() as tx:
        if tx.models.find_model(model) is None:
            names.create(tx, model, actor=house.actor, now=now)
        copies = [known for known in tx.models.versions(model) if known.source == source.source]
        return (
            copies[-1]
            if copies
            else clients.create_version(
                tx, model, source, Examined(), actor=house.actor, now=now, description=version.description
            )
        )
