"""Aliases as clients move them. Of a model that the loop keeps, `champion` is what answers: it moves by the gate's rule, with its route.

A model is kept by the loop where it is the project's or was ever in traffic. There, setting `champion` demands a passed gate report as any
promotion does, `previous` is the loop's own, and neither can be taken away. Everywhere else, and for other aliases, an alias is a label.
"""

from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import Conflict, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.registry import names
from homeostat.registry.routing import PREVIOUS, promote_in
from homeostat.registry.sources import version_of
from homeostat.registry.versions import CHAMPION

_OWN = (CHAMPION, PREVIOUS)


def set_alias(
    tx: Transaction, name: str, alias: str, version: int, *, actor: str, now: datetime, project: str | None = None
) -> None:
    """Point an alias at a version. `project` names the model that the loop keeps, if there is one."""
    names.check_name(name)
    names.check_alias(alias)
    if alias in _OWN and names.is_kept_by_loop(tx, name, project):
        candidate = version_of(tx, name, version)
        if alias == PREVIOUS:
            raise Conflict(f"alias '{PREVIOUS}' of '{name}' is kept by the loop", hint="`homeostat models rollback`")
        promote_in(tx, candidate, actor=actor, now=now)
        return
    before = tx.models.alias(name, alias)
    try:
        tx.models.set_alias(name, alias, version)
    except NotFound as error:
        raise NotFound(f"Model Version (name={name}, version={version}) not found") from error
    _note(tx, "alias.moved", name, {"alias": alias, "from": before, "to": version}, actor=actor, now=now)


def remove_alias(
    tx: Transaction, name: str, alias: str, *, actor: str, now: datetime, project: str | None = None
) -> None:
    """Take an alias away; nothing happens where there is none."""
    names.check_alias_asked(alias)
    names.get(tx, name)
    before = tx.models.alias(name, alias)
    if before is None:
        return
    if alias in _OWN and names.is_kept_by_loop(tx, name, project):
        raise Conflict(
            f"alias '{alias}' of '{name}' is kept by the loop: version {before} would no longer be known as the one that answers",
            hint="promote another version, or `homeostat models rollback`",
        )
    tx.models.set_alias(name, alias, None)
    _note(tx, "alias.removed", name, {"alias": alias, "from": before}, actor=actor, now=now)


def _note(tx: Transaction, kind: str, name: str, payload: dict[str, object], *, actor: str, now: datetime) -> None:
    told = {**payload, **({"is_prompt": True} if names.is_prompt(names.get(tx, name)) else {})}
    record(tx, kind, subject=f"model:{name}", actor=actor, time=now, payload=told)
