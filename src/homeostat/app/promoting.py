"""Moving versions by hand: a promotion or roll-back is done when every live worker has switched."""

from dataclasses import dataclass
from uuid import uuid4

from homeostat.app.making import finished, recorded_settings, tested_run, workshop
from homeostat.app.switched import switched
from homeostat.app.wiring import House
from homeostat.core.errors import CheckFailed, NotFound, Unreachable, near
from homeostat.core.records.registry import ModelVersion
from homeostat.core.records.routes import Route
from homeostat.registry.health import replace_unhealthy_champion, why_unhealthy
from homeostat.registry.routing import promote as promote_version
from homeostat.registry.routing import roll_back as roll_back_version
from homeostat.registry.versions import CHAMPION, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The champion before and after, and the workers that have switched (none: no server is up)."""

    model: str
    before: int | None
    champion: int
    workers: list[str]


def which_version(house: House, text: str) -> ModelVersion:
    """Return the version that `name`, `name@alias`, `name@3`, `@alias` or `3` means; the project's champion by default."""
    name, _, which = text.partition("@")
    with house.store.read() as tx:
        models = tx.models.models()
        if not which and name not in models and (name.isdecimal() or name in tx.models.aliases(house.project.model)):
            name, which = "", name
        model = name or house.project.model
        if model not in models:
            raise NotFound(
                f"model '{model}' has no version yet" if model == house.project.model else f"no model '{model}'",
                hint=near(model, models) or "`homeostat train` makes the first version",
            )
        return resolve(tx, model, which or CHAMPION)


def promote(house: House, which: str, *, force: str | None) -> Moved:
    """Make a version the champion. Without a passed report it needs the reason `force`."""
    found = which_version(house, which if which.isdecimal() else f"@{which.removeprefix('@')}")
    before = _champion(house)
    route = promote_version(
        store=house.store,
        model=found.model,
        version=found.version,
        actor=house.actor,
        now=house.clock.now(),
        force=force,
    )
    return _switched(house, route, before)


def roll_back(house: House, *, reason: str) -> Moved:
    """Put the previous champion back."""
    before = _champion(house)
    route = roll_back_version(
        store=house.store, model=house.project.model, actor=house.actor, now=house.clock.now(), reason=reason
    )
    return _switched(house, route, before)


def register_run(house: House, run_id: str) -> ModelVersion:
    """Return the version that a finished run becomes, with its newest report (it is judged now where it has none)."""
    run = finished(house, run_id)
    settings, shop, tested = recorded_settings(run), workshop(house), tested_run(house, run)
    with house.store.read() as tx:
        report = next(
            (one for one in tx.models.reports(house.project.model, limit=1000) if one.run_id == tested.run_id), None
        )
    report = report or shop.judge(tested, settings=settings, report_id=uuid4().hex)
    return shop.register(run, report, settings=settings)


def _champion(house: House) -> int | None:
    with house.store.read() as tx:
        return tx.models.alias(house.project.model, CHAMPION)


def _switched(house: House, route: Route, before: int | None) -> Moved:
    """Return what moved when every worker has switched; raise CheckFailed where the new champion fails its warm-up, after taking it back."""
    assert route.champion is not None
    failed: Unreachable | None = None
    workers: list[str] = []
    try:
        workers = switched(house, route)
    except Unreachable as error:
        failed = error
    if (reason := why_unhealthy(house.store, model=route.model, version=route.champion)) is not None:
        replace_unhealthy_champion(store=house.store, model=route.model, actor=house.actor, now=house.clock.now())
        raise CheckFailed(
            f"version {route.champion} of model '{route.model}' was not put to work: {reason}; version {_champion(house)} answers",
            hint="`homeostat predict` on rows like those of recent requests shows what it says",
        ) from failed
    if failed is not None:
        raise failed
    return Moved(model=route.model, before=before, champion=route.champion, workers=workers)
