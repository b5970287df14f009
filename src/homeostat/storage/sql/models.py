"""Registered models, versions, aliases and gate reports in SQL."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, tuple_, update

from homeostat.core.errors import AlreadyExists, NotFound, near
from homeostat.core.queries import ModelQuery
from homeostat.core.records.registry import GateReport, ModelVersion, RegisteredModel
from homeostat.storage.sql import model_rows
from homeostat.storage.sql.model_rows import DELETED
from homeostat.storage.sql.model_search import IS_PROMPT, models_statement, versions_statement
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.models import (
    gate_reports,
    model_aliases,
    model_version_tags,
    model_versions,
    registered_model_tags,
    registered_models,
)

_MOST_VERSION = 2**31 - 1
_MOST_NAMES = 500  # values in one IN: SQLite takes 32,766 of them in all


class SqlModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- versions

    def add(self, version: ModelVersion) -> None:
        model_rows.add(self._connection, version)
        self._add_tags(version)

    def replace(self, version: ModelVersion) -> None:
        self.get(version.model, version.version)
        values = _version_values(version)
        self._connection.execute(update(model_versions).where(_is(version.model, version.version)).values(**values))
        tags = model_version_tags.c
        self._connection.execute(
            delete(model_version_tags).where(tags.model == version.model, tags.version == version.version)
        )
        self._add_tags(version)

    def delete(self, model: str, version: int, *, now: datetime) -> None:
        self.get(model, version)
        gone = update(model_versions).where(_is(model, version)).values(stage=DELETED, updated=now)
        self._connection.execute(gone)
        aliases = model_aliases.c
        self._connection.execute(delete(model_aliases).where(aliases.model == model, aliases.version == version))

    def next_version(self, model: str) -> int:
        return model_rows.next_version(self._connection, model)

    def get(self, model: str, version: int) -> ModelVersion:
        found = model_rows.get(self._connection, model, version) if version <= _MOST_VERSION else None
        if found is None:
            if self.find_model(model) is None:
                raise NotFound(f"no model '{model}'", hint=near(model, self.models()))
            newest = self.next_version(model) - 1
            told = f"its newest is version {newest}" if newest else "`homeostat train` makes the first one"
            raise NotFound(f"no version {version} of model '{model}'", hint=told)
        return found

    def by_run(self, model: str, run_id: str) -> ModelVersion | None:
        """Return the version that the run itself became here (not one that a client registered)."""
        of_run = (model_versions.c.model == model) & (model_versions.c.run_id == run_id)
        query = select(model_versions).where(of_run, model_versions.c.source == "", model_versions.c.stage != DELETED)
        row = self._connection.execute(query).first()
        return None if row is None else self._read([row])[0]

    def versions(self, model: str) -> list[ModelVersion]:
        query = (
            select(model_versions)
            .where(model_versions.c.model == model, model_versions.c.stage != DELETED)
            .order_by(model_versions.c.version)
        )
        return self._read(self._connection.execute(query).all())

    def latest(self, models: Sequence[str]) -> list[ModelVersion]:
        found: list[ModelVersion] = []
        for names in _parts(models):
            newest = (
                select(model_versions.c.model, func.max(model_versions.c.version))
                .where(model_versions.c.model.in_(names), model_versions.c.stage != DELETED)
                .group_by(model_versions.c.model, model_versions.c.stage)
            )
            rows = self._connection.execute(
                select(model_versions)
                .where(tuple_(model_versions.c.model, model_versions.c.version).in_(newest))
                .order_by(model_versions.c.model, model_versions.c.version)
            )
            found += self._read(rows.all())
        return found

    def search(self, query: ModelQuery) -> list[ModelVersion]:
        statement = versions_statement(query, dialect=self._connection.dialect.name)
        return self._read(self._connection.execute(statement).all())

    def models(self) -> list[str]:
        tags = registered_model_tags.c
        prompts = select(tags.model).where(tags.key == IS_PROMPT, func.lower(tags.value) == "true")
        names = select(model_versions.c.model).where(
            model_versions.c.stage != DELETED, model_versions.c.model.not_in(prompts)
        )
        return list(self._connection.scalars(names.distinct().order_by("model")))

    def set_health(self, model: str, version: int, health: str) -> None:
        self._connection.execute(update(model_versions).where(_is(model, version)).values(health=health))

    # -- names

    def add_model(self, model: RegisteredModel) -> None:
        if self.find_model(model.name) is not None:
            raise AlreadyExists(
                f"model '{model.name}' is registered already", hint="choose another name, or go on with it"
            )
        self._connection.execute(insert(registered_models).values(**values_of(model, without=("tags",))))
        if model.tags:
            rows = [{"model": model.name, "key": key, "value": value} for key, value in model.tags.items()]
            self._connection.execute(insert(registered_model_tags), rows)

    def model(self, name: str) -> RegisteredModel:
        found = self.find_model(name)
        if found is None:
            known = self._connection.scalars(select(registered_models.c.name).limit(1000))
            raise NotFound(f"no model '{name}'", hint=near(name, known))
        return found

    def find_model(self, name: str) -> RegisteredModel | None:
        return model_rows.find_model(self._connection, name)

    def replace_model(self, model: RegisteredModel) -> None:
        model_rows.change_model(self._connection, model)

    def rename_model(self, name: str, new: str, *, now: datetime) -> None:
        self.model(name)
        if new != name and self.find_model(new) is not None:
            raise AlreadyExists(f"model '{new}' is registered already", hint="choose another name")
        names = update(registered_models).where(registered_models.c.name == name).values(name=new, updated=now)
        self._connection.execute(names)
        versions = update(model_versions).where(model_versions.c.model == name).values(model=new, updated=now)
        self._connection.execute(versions)
        for table in (registered_model_tags, model_version_tags, model_aliases, gate_reports):
            self._connection.execute(update(table).where(table.c.model == name).values(model=new))

    def delete_model(self, name: str) -> None:
        self.model(name)
        for table in (model_aliases, model_version_tags, model_versions, registered_model_tags):
            self._connection.execute(delete(table).where(table.c.model == name))
        self._connection.execute(delete(registered_models).where(registered_models.c.name == name))

    def search_models(self, query: ModelQuery) -> list[RegisteredModel]:
        statement = models_statement(query, dialect=self._connection.dialect.name)
        return self._read_models(self._connection.execute(statement).all())

    def set_tag(self, model: str, key: str, value: str | None, *, version: int | None = None) -> None:
        table = registered_model_tags if version is None else model_version_tags
        which: dict[str, Any] = {"model": model, "key": key, **({} if version is None else {"version": version})}
        if value is None:
            self._connection.execute(delete(table).where(*(table.c[name] == each for name, each in which.items())))
        else:
            upsert(self._connection, table, {**which, "value": value})

    # -- aliases

    def alias(self, model: str, alias: str) -> int | None:
        return model_rows.alias(self._connection, model, alias)

    def aliases(self, model: str) -> dict[str, int]:
        return model_rows.aliases(self._connection, model)

    def aliases_of(self, models: Sequence[str]) -> dict[str, dict[str, int]]:
        found: dict[str, dict[str, int]] = {name: {} for name in models}
        for names in _parts(models):
            query = select(model_aliases).where(model_aliases.c.model.in_(names)).order_by(model_aliases.c.alias)
            for row in self._connection.execute(query):
                found[row.model][row.alias] = row.version
        return found

    def set_alias(self, model: str, alias: str, version: int | None) -> None:
        if version is None:
            which = (model_aliases.c.model == model) & (model_aliases.c.alias == alias)
            self._connection.execute(delete(model_aliases).where(which))
            return
        if version > _MOST_VERSION or not model_rows.is_there(self._connection, model, version):
            self.get(model, version)  # which says what is not there
        model_rows.set_alias(self._connection, model, alias, version)

    # -- gate reports

    def add_report(self, report: GateReport) -> None:
        self._connection.execute(insert(gate_reports).values(**values_of(report)))

    def report(self, report_id: str) -> GateReport:
        row = self._connection.execute(select(gate_reports).where(gate_reports.c.report_id == report_id)).first()
        if row is None:
            known = self._connection.scalars(select(gate_reports.c.report_id))
            raise NotFound(f"no gate report '{report_id}'", hint=near(report_id, known))
        return record_of(GateReport, row)

    def reports(self, model: str, *, limit: int = 50) -> list[GateReport]:
        query = (
            select(gate_reports)
            .where(gate_reports.c.model == model)
            .order_by(gate_reports.c.created.desc(), gate_reports.c.report_id)
            .limit(limit)
        )
        return [record_of(GateReport, row) for row in self._connection.execute(query)]

    # -- rows to records

    def _add_tags(self, version: ModelVersion) -> None:
        if version.tags:
            of_version = {"model": version.model, "version": version.version}
            rows = [{**of_version, "key": key, "value": value} for key, value in version.tags.items()]
            self._connection.execute(insert(model_version_tags), rows)

    def _read(self, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
        wanted = [(row.model, row.version) for row in rows]
        tags: dict[tuple[str, int], dict[str, str]] = {key: {} for key in wanted}
        columns = model_version_tags.c
        for part in _parts(wanted):
            query = select(model_version_tags).where(tuple_(columns.model, columns.version).in_(part))
            for row in self._connection.execute(query.order_by(columns.key)):
                tags[row.model, row.version][row.key] = row.value
        return [record_of(ModelVersion, row, tags=tags[row.model, row.version]) for row in rows]

    def _read_models(self, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
        tags: dict[str, dict[str, str]] = {row.name: {} for row in rows}
        columns = registered_model_tags.c
        for names in _parts(list(tags)):
            query = select(registered_model_tags).where(columns.model.in_(names)).order_by(columns.key)
            for row in self._connection.execute(query):
                tags[row.model][row.key] = row.value
        return [record_of(RegisteredModel, row, tags=tags[row.name]) for row in rows]


def _is(model: str, version: int) -> Any:
    return (model_versions.c.model == model) & (model_versions.c.version == version)


def _version_values(version: ModelVersion) -> Mapping[str, Any]:
    return values_of(version, without=("tags",)) | {"updated": version.updated or version.created}


def _parts(names: Sequence[Any]) -> Iterable[Sequence[Any]]:
    for start in range(0, len(names), _MOST_NAMES):
        yield names[start : start + _MOST_NAMES]
