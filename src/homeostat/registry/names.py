"""Registered models: names, what is said of them, and what a name may be. Each change and its audit event are in the caller's transaction."""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from homeostat.audit.log import record
from homeostat.core.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from homeostat.core.ports.store import Transaction
from homeostat.core.records.registry import RegisteredModel

IS_PROMPT = "mlflow.prompt.is_prompt"
MOST_NAME, MOST_ALIAS, MOST_KEY, MOST_VALUE, MOST_DESCRIPTION = 256, 255, 250, 100_000, 100_000
_KEY = re.compile(r"[/\w.\- :]*")
_ALIAS = re.compile(r"[\w\-]+")
_VERSION_ALIAS = re.compile(r"[vV]\d+")


def create(
    tx: Transaction,
    name: str,
    *,
    actor: str,
    now: datetime,
    description: str = "",
    tags: Mapping[str, str] | None = None,
) -> RegisteredModel:
    """Return the model, newly registered; raise AlreadyExists where the name is taken."""
    check_name(name)
    check_tags(tags or {})
    check_description(description)
    model = RegisteredModel(name=name, created=now, updated=now, description=description, tags=dict(tags or {}))
    known = tx.models.find_model(name)
    if known is not None:
        raise _taken(known, is_prompt=is_prompt(model))
    tx.models.add_model(model)
    _note(tx, "created", model, {"description": description, "tags": model.tags}, actor=actor, now=now)
    return model


def get(tx: Transaction, name: str) -> RegisteredModel:
    """Return the model; raise NotFound in the words that clients know."""
    found = tx.models.find_model(name)
    if found is None:
        raise NotFound(f"Registered Model with name={name} not found")
    return found


def describe(tx: Transaction, name: str, *, description: str, actor: str, now: datetime) -> RegisteredModel:
    """Return the model under its new description."""
    check_description(description)
    changed = replace(get(tx, name), description=description, updated=now)
    tx.models.replace_model(changed)
    _note(tx, "updated", changed, {"description": description}, actor=actor, now=now)
    return changed


def rename(
    tx: Transaction, name: str, *, new: str, actor: str, now: datetime, project: str | None = None
) -> RegisteredModel:
    """Return the model under its new name. A model that the loop keeps (the project's, or one in traffic) keeps its name: Conflict."""
    check_name(new)
    model = get(tx, name)
    refuse_kept(tx, name, project, doing="renamed")
    if new != name and tx.models.find_model(new) is not None:
        raise AlreadyExists(f"Registered Model (name={new}) already exists.")
    tx.models.rename_model(name, new, now=now)
    changed = replace(model, name=new, updated=now)
    _note(tx, "renamed", changed, {"from": name, "to": new}, actor=actor, now=now)
    return changed


def delete(tx: Transaction, name: str, *, actor: str, now: datetime) -> None:
    """Take the model away with all its versions; raise Conflict while one of them is in traffic."""
    model = get(tx, name)
    route = tx.routes.get(name)
    if route is not None and route.versions:
        raise Conflict(
            f"model '{name}' is in traffic (version {', '.join(map(str, route.versions))}) and cannot be deleted",
            hint="stop serving it first",
        )
    tx.models.delete_model(name)
    _note(tx, "deleted", model, {}, actor=actor, now=now)


def set_tag(tx: Transaction, name: str, key: str, value: str, *, actor: str, now: datetime) -> None:
    check_tags({key: value})
    model = get(tx, name)
    tx.models.set_tag(name, key, value)
    _note(tx, "tag_set", model, {"key": key, "value": value}, actor=actor, now=now)


def delete_tag(tx: Transaction, name: str, key: str, *, actor: str, now: datetime) -> None:
    """Take a tag away; nothing happens where there is none."""
    check_key(key)
    model = get(tx, name)
    if key in model.tags:
        tx.models.set_tag(name, key, None)
        _note(tx, "tag_deleted", model, {"key": key}, actor=actor, now=now)


# -- rules


def is_prompt(model: RegisteredModel) -> bool:
    """Return whether the model is a prompt: prompts are registered models with a reserved tag."""
    return model.tags.get(IS_PROMPT, "").lower() == "true"


def is_kept_by_loop(tx: Transaction, name: str, project: str | None) -> bool:
    """Return whether the loop keeps this model: it is the project's, or some version of it was put into traffic."""
    return name == project or tx.routes.get(name) is not None


def refuse_kept(tx: Transaction, name: str, project: str | None, *, doing: str) -> None:
    if is_kept_by_loop(tx, name, project):
        raise Conflict(
            f"model '{name}' is kept by the loop and cannot be {doing}",
            hint="homeostat.yaml, its routes and its history name it; use another model, or copy a version to one",
        )


def check_name(name: str) -> None:
    """Refuse what cannot name a model."""
    if not name.strip():
        raise InvalidInput("Missing value for required parameter 'name'.")
    if "/" in name or ":" in name:
        raise InvalidInput(f"Invalid model name '{name[:300]}'. Names cannot contain '/' or ':'.")
    if len(name) > MOST_NAME:
        raise InvalidInput(f"Invalid model name: it has {len(name)} characters, at most {MOST_NAME} are taken.")
    _refuse_path("name", name)


def check_alias(alias: str) -> None:
    """Refuse what cannot be an alias."""
    check_alias_asked(alias)
    if alias.lower() == "latest":
        raise InvalidInput("'latest' alias name (case insensitive) is reserved.")
    if _VERSION_ALIAS.fullmatch(alias):
        raise InvalidInput(f"Version alias name '{alias}' is reserved.")


def check_alias_asked(alias: str) -> None:
    """Refuse what is no alias's name; reserved ones may be asked for."""
    if not alias:
        raise InvalidInput("Registered model alias name cannot be empty.")
    if not _ALIAS.fullmatch(alias):
        raise InvalidInput(
            f"Invalid alias name: '{alias[:300]}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )
    if len(alias) > MOST_ALIAS:
        raise InvalidInput(f"Registered model alias name exceeds the maximum length of {MOST_ALIAS} characters.")


def check_key(key: str) -> None:
    """Refuse what cannot be the key of a tag."""
    if not _KEY.fullmatch(key):
        raise InvalidInput(
            f"Invalid value \"{key[:300]}\" for parameter 'key' supplied: Names may only contain alphanumerics, underscores (_), "
            "dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    _refuse_path("key", key)
    if len(key) > MOST_KEY:
        raise InvalidInput(f"'key' exceeds the maximum length of {MOST_KEY} characters")


def check_tags(tags: Mapping[str, str]) -> None:
    for key, value in tags.items():
        check_key(key)
        if len(value) > MOST_VALUE:
            raise InvalidInput(f"'value' exceeds the maximum length of {MOST_VALUE} characters")


def check_description(description: str) -> None:
    if len(description) > MOST_DESCRIPTION:
        raise InvalidInput(f"'description' exceeds the maximum length of {MOST_DESCRIPTION} characters")


def _refuse_path(field: str, name: str) -> None:
    """Names become parts of addresses: one that means another path is refused."""
    normal = posixpath.normpath(name)
    if normal != name or normal == "." or normal.startswith(("..", "/")):
        raise InvalidInput(
            f"Invalid value \"{name[:300]}\" for parameter '{field}' supplied: Names may be treated as files in certain cases, and must "
            f"not resolve to other names when treated as such. This name would resolve to '{normal[:300]}'"
        )


def _taken(known: RegisteredModel, *, is_prompt: bool) -> AlreadyExists:
    old = "Prompt" if known.tags.get(IS_PROMPT, "").lower() == "true" else "Registered Model"
    new = "Prompt" if is_prompt else "Registered Model"
    if old != new:
        return AlreadyExists(
            f"Tried to create a {new.lower()} with name '{known.name}', but the name is already taken by a {old.lower()}. "
            "A model and a prompt cannot have the same name."
        )
    return AlreadyExists(f"{new} (name={known.name}) already exists.")


def _note(
    tx: Transaction, what: str, model: RegisteredModel, payload: dict[str, object], *, actor: str, now: datetime
) -> None:
    told = {**payload, **({"is_prompt": True} if is_prompt(model) else {})}
    record(tx, f"registered_model.{what}", subject=f"model:{model.name}", actor=actor, time=now, payload=told)
