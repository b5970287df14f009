"""Registered models and versions in plain Python: what a registry must have remembered, and what it must refuse."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.compat.expected_search import Clause, Order, found
from tests.compat.expected_tracking import INVALID, MISSING, TAKEN, Refused

STAGES = ("None", "Staging", "Production", "Archived")


@dataclass
class Version:
    name: str
    number: int
    source: str
    run_id: str
    created: int
    updated: int
    description: str
    tags: dict[str, str]
    stage: str = "None"


@dataclass
class Model:
    name: str
    created: int
    updated: int
    description: str
    tags: dict[str, str]
    aliases: dict[str, int] = field(default_factory=dict)
    versions: dict[int, Version] = field(default_factory=dict)
    last: int = 0

    def latest(self, stages: Iterable[str] = STAGES) -> set[int]:
        newest = {version.stage: number for number, version in sorted(self.versions.items())}
        return {number for stage, number in newest.items() if stage in stages}


class Registry:
    def __init__(self) -> None:
        self.models: dict[str, Model] = {}

    # -- models

    def create(self, name: str, *, tags: dict[str, str], description: str, now: int) -> None:
        if name in self.models:
            raise Refused(TAKEN)
        self.models[name] = Model(name, now, now, description, dict(tags))

    def describe(self, name: str, description: str, *, now: int) -> None:
        model = self._model(name)
        model.description, model.updated = description, now

    def rename(self, name: str, new: str, *, now: int) -> None:
        model = self._model(name)
        if new != name and new in self.models:
            raise Refused(TAKEN)
        self.models = {new if each == name else each: one for each, one in self.models.items()}
        model.name, model.updated = new, now
        for version in model.versions.values():
            version.name, version.updated = new, now

    def delete(self, name: str) -> None:
        self._model(name)
        del self.models[name]

    def tag(self, name: str, key: str, value: str) -> None:
        self._model(name).tags[key] = value

    def untag(self, name: str, key: str) -> None:
        self._model(name).tags.pop(key, None)

    def find_models(self, clauses: list[Clause], orders: list[Order]) -> list[str]:
        def value(model: Model, entity: str, key: str) -> Any:
            attributes = {"name": model.name, "last_updated_timestamp": model.updated}
            return attributes[key] if entity == "attributes" else model.tags.get(key)

        ties = [Order("attributes", "name", is_ascending=True)]
        return [model.name for model in found(self.models.values(), clauses, orders, value, ties=ties)]

    # -- versions

    def add(self, name: str, *, source: str, run_id: str, tags: dict[str, str], description: str, now: int) -> None:
        model = self._model(name)
        model.last += 1
        model.updated = now
        model.versions[model.last] = Version(name, model.last, source, run_id, now, now, description, dict(tags))

    def describe_version(self, name: str, number: int, description: str, *, now: int) -> None:
        version = self._version(name, number)
        version.description, version.updated = description, now

    def stage(self, name: str, number: int, stage: str, *, archive: bool, now: int) -> None:
        version = self._version(name, number)
        for other in self.models[name].versions.values():
            if archive and other.stage == stage and other is not version:
                other.stage, other.updated = "Archived", now
        version.stage, version.updated = stage, now
        self.models[name].updated = now

    def delete_version(self, name: str, number: int, *, now: int) -> None:
        self._version(name, number)
        model = self.models[name]
        del model.versions[number]
        model.aliases = {alias: known for alias, known in model.aliases.items() if known != number}
        model.updated = now

    def tag_version(self, name: str, number: int, key: str, value: str) -> None:
        self._version(name, number).tags[key] = value

    def untag_version(self, name: str, number: int, key: str) -> None:
        self._version(name, number).tags.pop(key, None)

    def set_alias(self, name: str, alias: str, number: int) -> None:
        self._model(name)  # the client looks first whether it is a prompt
        if alias.lower() == "latest" or alias.lower().removeprefix("v").isdigit():
            raise Refused(INVALID)
        self._version(name, number)
        self.models[name].aliases[alias] = number

    def delete_alias(self, name: str, alias: str) -> None:
        self._model(name).aliases.pop(alias, None)

    def by_alias(self, name: str, alias: str) -> int:
        model = self._model(name)
        if alias == "latest":
            if not model.versions:
                raise Refused(MISSING)
            return max(model.versions)
        if alias not in model.aliases:
            raise Refused(INVALID)
        return model.aliases[alias]

    def latest(self, name: str, stages: list[str]) -> set[int]:
        return self._model(name).latest(stages or STAGES)

    def find_versions(self, clauses: list[Clause], orders: list[Order]) -> list[tuple[str, int]]:
        def value(version: Version, entity: str, key: str) -> Any:
            attributes = {
                "name": version.name,
                "version_number": version.number,
                "run_id": version.run_id,
                "source_path": version.source,
                "creation_timestamp": version.created,
                "last_updated_timestamp": version.updated,
            }
            return attributes[key] if entity == "attributes" else version.tags.get(key)

        versions = [version for model in self.models.values() for version in model.versions.values()]
        ties = [
            Order("attributes", "name", is_ascending=True),
            Order("attributes", "version_number", is_ascending=False),
        ]
        orders = orders or [Order("attributes", "last_updated_timestamp", is_ascending=False)]
        return [(each.name, each.number) for each in found(versions, clauses, orders, value, ties=ties)]

    def _model(self, name: str) -> Model:
        if name not in self.models:
            raise Refused(MISSING)
        return self.models[name]

    def _version(self, name: str, number: int) -> Version:
        model = self.models.get(name)
        if model is None or number not in model.versions:
            raise Refused(MISSING)
        return model.versions[number]
