"""Versions and their models by name, alias and number, as fast as the driver reads and writes them."""

import json
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.storage.sql.prepared import Prepared, of_micros, to_micros
from homeostat.storage.sql.schema.models import (
    model_aliases,
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)
from homeostat.storage.sql.types import JsonText

DELETED = "Deleted_Internal"
_v, _a, _m = model_versions.c, model_aliases.c, registered_models.c
_VERSION = [column.name for column in model_versions.columns]
_MODEL = [column.name for column in registered_models.columns]
_TIMES = ("created", "updated")
_JSON = ("digests", "signature", "lineage")
_as_json = JsonText()

_GET = Prepared(
    lambda _: select(model_versions).where(
        _v.model == bindparam("model"), _v.version == bindparam("version"), _v.stage != DELETED
    ),
    "model",
    "version",
)
_TAGS = Prepared(
    lambda _: (
        select(model_version_tags.c.key, model_version_tags.c.value)
        .where(model_version_tags.c.model == bindparam("model"), model_version_tags.c.version == bindparam("version"))
        .order_by(model_version_tags.c.key)
    ),
    "model",
    "version",
)
_NEXT = Prepared(
    lambda _: select(func.coalesce(func.max(_v.version), 0) + 1).where(_v.model == bindparam("model")), "model"
)
_ADD = Prepared(lambda insert: insert(model_versions).values({name: bindparam(name) for name in _VERSION}), *_VERSION)
_FIND = Prepared(lambda _: select(registered_models).where(_m.name == bindparam("name")), "name")
_MODEL_TAGS = Prepared(
    lambda _: (
        select(registered_model_tags.c.key, registered_model_tags.c.value)
        .where(registered_model_tags.c.model == bindparam("model"))
        .order_by(registered_model_tags.c.key)
    ),
    "model",
)
_ADD_MODEL = Prepared(
    lambda insert: (
        insert(registered_models)
        .values({name: bindparam(name) for name in _MODEL})
        .on_conflict_do_nothing(index_elements=["name"])
    ),
    *_MODEL,
)
_CHANGE_MODEL = Prepared(
    lambda _: (
        update(registered_models)
        .where(_m.name == bindparam("which"))
        .values({name: bindparam(f"new_{name}") for name in _MODEL if name != "name"})
    ),
    *(f"new_{name}" for name in _MODEL if name != "name"),
    "which",
)
_IS_THERE = Prepared(
    lambda _: select(_v.version).where(
        _v.model == bindparam("model"), _v.version == bindparam("version"), _v.stage != DELETED
    ),
    "model",
    "version",
)
_ALIAS = Prepared(
    lambda _: select(_a.version).where(_a.model == bindparam("model"), _a.alias == bindparam("alias")),
    "model",
    "alias",
)
_ALIASES = Prepared(
    lambda _: select(_a.alias, _a.version).where(_a.model == bindparam("model")).order_by(_a.alias), "model"
)


def _set_alias(insert: Any) -> Any:
    statement = insert(model_aliases).values({name: bindparam(name) for name in ("model", "alias", "version")})
    return statement.on_conflict_do_update(
        index_elements=["model", "alias"], set_={"version": statement.excluded.version}
    )


_SET_ALIAS = Prepared(_set_alias, "model", "alias", "version")


def get(connection: Connection, model: str, version: int) -> ModelVersion | None:
    row = _GET.run(connection, model, version).fetchone()
    if row is None:
        return None
    found = dict(zip(_VERSION, row, strict=True))
    found |= {name: of_micros(found[name]) for name in _TIMES}
    found |= {name: json.loads(found[name]) for name in _JSON}
    return ModelVersion(**found, tags=dict(_TAGS.run(connection, model, version).fetchall()))


def add(connection: Connection, version: ModelVersion) -> None:
    """Insert a version without its tags, and its model where that is new."""
    created = to_micros(version.created)
    _ADD_MODEL.run(connection, *({"name": version.model, "description": ""}.get(name, created) for name in _MODEL))
    values: dict[str, Any] = {name: getattr(version, name) for name in _VERSION}
    values |= {"created": created, "updated": to_micros(version.updated or version.created)}
    values |= {name: _as_json.process_bind_param(values[name], connection.dialect) for name in _JSON}
    _ADD.run(connection, *values.values())


def next_version(connection: Connection, model: str) -> int:
    return int(_NEXT.run(connection, model).fetchone()[0])


def find_model(connection: Connection, name: str) -> RegisteredModel | None:
    row = _FIND.run(connection, name).fetchone()
    if row is None:
        return None
    found = dict(zip(_MODEL, row, strict=True))
    found |= {time: of_micros(found[time]) for time in _TIMES}
    return RegisteredModel(**found, tags=dict(_MODEL_TAGS.run(connection, name).fetchall()))


def change_model(connection: Connection, model: RegisteredModel) -> None:
    """Store all of a model anew but its name and tags."""
    values = {
        "created": to_micros(model.created),
        "updated": to_micros(model.updated),
        "description": model.description,
    }
    _CHANGE_MODEL.run(connection, *(values[name] for name in _MODEL if name != "name"), model.name)


def is_there(connection: Connection, model: str, version: int) -> bool:
    return _IS_THERE.run(connection, model, version).fetchone() is not None


def alias(connection: Connection, model: str, name: str) -> int | None:
    row = _ALIAS.run(connection, model, name).fetchone()
    return None if row is None else int(row[0])


def aliases(connection: Connection, model: str) -> dict[str, int]:
    return dict(_ALIASES.run(connection, model).fetchall())


def set_alias(connection: Connection, model: str, name: str, version: int) -> None:
    _SET_ALIAS.run(connection, model, name, version)
