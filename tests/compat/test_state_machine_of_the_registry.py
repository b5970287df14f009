"""Random sessions of the real client with registered models, versions, aliases and stages, beside a model in plain Python."""

from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule
from tests.compat.expected_registry import STAGES, Registry, Version
from tests.compat.expected_search import Clause, text_of
from tests.compat.machine import Machine, fields, numbers, orders, our_world, pages, run_machine, texts

mlflow = pytest.importorskip("mlflow", reason="no mlflow here")

pytestmark = pytest.mark.filterwarnings("ignore")  # the client's own
NAMES = ["m", "M", "a b", "größe é", "m.1"]
WORDS = ["", "a", "A", "ab", "größe é", "b_%"]
KEYS = ["k", "with space", "a/b"]
ALIASES = ["best", "Best", "a-b", "latest", "v1"]
MODEL = {"name": "name", "created": "creation_timestamp", "updated": "last_updated_timestamp", "tags": "tags"}
VERSION = {
    "name": "name",
    "created": "creation_timestamp",
    "updated": "last_updated_timestamp",
    "stage": "current_stage",
    "source": "source",
    "run_id": "run_id",
    "tags": "tags",
}

which = st.integers(0, 5)
names, words, keys, aliases = (st.sampled_from(each) for each in (NAMES, WORDS, KEYS, ALIASES))
tags = st.dictionaries(keys, words, max_size=2)
model_clauses = st.one_of(texts("attributes", ["name"], NAMES, listed=True), texts("tags", KEYS, WORDS))
version_clauses = st.one_of(
    texts("attributes", ["name"], NAMES, listed=True),
    texts("tags", KEYS, WORDS),
    numbers("attributes", ["version_number"], [1, 2, 3]),
)
model_orders = orders(("attributes", "name"), ("attributes", "last_updated_timestamp"))
version_orders = orders(
    *(("attributes", key) for key in ("name", "version_number", "creation_timestamp", "last_updated_timestamp"))
)


class RegistryMachine(Machine):
    def __init__(self) -> None:
        super().__init__()
        self.model = Registry()
        self.runs: list[Any] = []

    def name(self, n: int) -> str:
        """Return a known name, or now and then one that nobody has."""
        return [*self.model.models, "nobody"][n % (len(self.model.models) + 1)]

    def version(self, n: int, m: int) -> tuple[str, int]:
        name = self.name(n)
        known = [*self.model.models[name].versions] if name in self.model.models else []
        return name, [*known, 99][m % (len(known) + 1)]

    # -- models

    @initialize()
    def first(self) -> None:
        experiment = self.client.create_experiment("e", artifact_location=f"{self.world.root}/e")
        self.runs = [self.client.create_run(experiment).info for _ in range(2)]
        self.create("m", {}, "")
        for n in range(2):
            self.add(0, n, {}, "")

    @rule(name=names, tags=tags, description=words)
    def create(self, name: str, tags: dict[str, str], description: str) -> None:
        now = self.world.clock.tick()
        self.both(
            lambda: self.client.create_registered_model(name, tags=tags, description=description),
            lambda _: self.model.create(name, tags=tags, description=description, now=now),
        )

    @rule(n=which, description=words.filter(bool))
    def describe(self, n: int, description: str) -> None:
        name, now = self.name(n), self.world.clock.tick()
        self.both(
            lambda: self.client.update_registered_model(name, description),
            lambda _: self.model.describe(name, description, now=now),
        )

    @rule(n=which, new=names)
    def rename(self, n: int, new: str) -> None:
        name, now = self.name(n), self.world.clock.tick()
        self.both(
            lambda: self.client.rename_registered_model(name, new),
            lambda _: self.model.rename(name, new, now=now),
        )

    @rule(n=st.integers(0, 30))
    def delete(self, n: int) -> None:
        name = self.name(n)
        self.both(lambda: self.client.delete_registered_model(name), lambda _: self.model.delete(name))

    @rule(n=which, key=keys, value=words)
    def tag(self, n: int, key: str, value: str) -> None:
        name = self.name(n)
        self.both(
            lambda: self.client.set_registered_model_tag(name, key, value),
            lambda _: self.model.tag(name, key, value),
        )

    @rule(n=which, key=keys)
    def untag(self, n: int, key: str) -> None:
        name = self.name(n)
        self.both(lambda: self.client.delete_registered_model_tag(name, key), lambda _: self.model.untag(name, key))

    @rule(clauses=st.lists(model_clauses, max_size=2), order=model_orders, size=st.integers(1, 3))
    def search_models(self, clauses: list[Any], order: list[Any], size: int) -> None:
        def search(**page: Any) -> Any:
            return self.client.search_registered_models(
                text_of(clauses), order_by=[str(each) for each in order], **page
            )

        assert [found.name for found in pages(search, size=size)] == self.model.find_models(clauses, order)

    # -- versions

    @rule(n=which, run=st.integers(0, 1), tags=tags, description=words)
    def add(self, n: int, run: int, tags: dict[str, str], description: str) -> None:
        name, info, now = self.name(n), self.runs[run], self.world.clock.tick()
        source = f"{info.artifact_uri}/model"
        self.both(
            lambda: self.client.create_model_version(name, source, info.run_id, tags=tags, description=description),
            lambda _: self.model.add(
                name, source=source, run_id=info.run_id, tags=tags, description=description, now=now
            ),
        )

    @rule(n=which, m=which, description=words.filter(bool))
    def describe_version(self, n: int, m: int, description: str) -> None:
        (name, number), now = self.version(n, m), self.world.clock.tick()
        self.both(
            lambda: self.client.update_model_version(name, str(number), description),
            lambda _: self.model.describe_version(name, number, description, now=now),
        )

    @rule(n=which, m=which, stage=st.sampled_from(STAGES), archive=st.booleans())
    def move(self, n: int, m: int, stage: str, archive: bool) -> None:  # noqa: FBT001 - drawn by name
        (name, number), now = self.version(n, m), self.world.clock.tick()
        archive = archive and stage in ("Staging", "Production")
        self.both(
            lambda: self.client.transition_model_version_stage(name, str(number), stage, archive),
            lambda _: self.model.stage(name, number, stage, archive=archive, now=now),
        )

    @rule(n=which, m=which)
    def delete_version(self, n: int, m: int) -> None:
        (name, number), now = self.version(n, m), self.world.clock.tick()
        self.both(
            lambda: self.client.delete_model_version(name, str(number)),
            lambda _: self.model.delete_version(name, number, now=now),
        )

    @rule(n=which, m=which, key=keys, value=words)
    def tag_version(self, n: int, m: int, key: str, value: str) -> None:
        name, number = self.version(n, m)
        self.both(
            lambda: self.client.set_model_version_tag(name, str(number), key, value),
            lambda _: self.model.tag_version(name, number, key, value),
        )

    @rule(n=which, m=which, key=keys)
    def untag_version(self, n: int, m: int, key: str) -> None:
        name, number = self.version(n, m)
        self.both(
            lambda: self.client.delete_model_version_tag(name, str(number), key),
            lambda _: self.model.untag_version(name, number, key),
        )

    @rule(n=which, m=which, alias=aliases)
    def set_alias(self, n: int, m: int, alias: str) -> None:
        name, number = self.version(n, m)
        self.both(
            lambda: self.client.set_registered_model_alias(name, alias, str(number)),
            lambda _: self.model.set_alias(name, alias, number),
        )

    @rule(n=which, alias=st.sampled_from(ALIASES[:3]))
    def delete_alias(self, n: int, alias: str) -> None:
        name = self.name(n)
        self.both(
            lambda: self.client.delete_registered_model_alias(name, alias),
            lambda _: self.model.delete_alias(name, alias),
        )

    @rule(n=which, alias=st.sampled_from(ALIASES[:4]))
    def resolve(self, n: int, alias: str) -> None:
        name, told = self.name(n), []
        found = self.both(
            lambda: self.client.get_model_version_by_alias(name, alias),
            lambda _: told.append(self.model.by_alias(name, alias)),
        )
        if found is not None:
            self.look_at_version(found, self.model.models[name].versions[told[0]])

    @rule(n=which, stages=st.lists(st.sampled_from(STAGES), max_size=2))
    def latest(self, n: int, stages: list[str]) -> None:
        name, told = self.name(n), []
        found = self.both(
            lambda: self.client.get_latest_versions(name, stages),
            lambda _: told.append(self.model.latest(name, stages)),
        )
        if found is not None:
            assert {int(each.version) for each in found} == told[0]

    @rule(
        clauses=st.lists(version_clauses, max_size=2),
        run=st.none() | st.integers(0, 1),
        order=version_orders,
        size=st.integers(1, 3),
    )
    def search_versions(self, clauses: list[Any], run: int | None, order: list[Any], size: int) -> None:
        if run is not None:
            clauses = [*clauses, Clause("attributes", "run_id", "=", self.runs[run].run_id)]

        def search(**page: Any) -> Any:
            return self.client.search_model_versions(text_of(clauses), order_by=[str(each) for each in order], **page)

        found = [(each.name, int(each.version)) for each in pages(search, size=size)]
        assert found == self.model.find_versions(clauses, order)

    # -- everything

    def look(self) -> None:
        self.search_models([], [], 2)
        self.search_versions([], None, [], 2)
        for model in self.model.models.values():
            found = self.client.get_registered_model(model.name)
            assert fields(found, MODEL) == {key: getattr(model, key) for key in MODEL}
            assert (found.description or "") == model.description
            assert {alias: int(number) for alias, number in found.aliases.items()} == model.aliases
            assert {int(each.version) for each in found.latest_versions} == model.latest()
            for number, version in model.versions.items():
                self.look_at_version(self.client.get_model_version(model.name, str(number)), version)
                assert self.client.get_model_version_download_uri(model.name, str(number)) == version.source
        for each in self.client.search_model_versions() if self.world.is_ours else ():  # theirs leaves out the aliases
            self.look_at_version(each, self.model.models[each.name].versions[int(each.version)])

    def look_at_version(self, found: Any, wanted: Version) -> None:
        assert fields(found, VERSION) == {key: getattr(wanted, key) for key in VERSION}
        assert (int(found.version), found.description or "", found.status) == (
            wanted.number,
            wanted.description,
            "READY",
        )
        known = self.model.models[wanted.name].aliases
        assert sorted(found.aliases) == sorted(alias for alias, number in known.items() if number == wanted.number)


def test_random_sessions_agree_with_the_model():
    run_machine(RegistryMachine, our_world, examples=10, steps=40, number=0)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_random_sessions_agree_with_the_model_on_every_database(anywhere):
    run_machine(RegistryMachine, anywhere, examples=100, steps=60)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_the_model_itself_agrees_with_mlflows_own_store(stock):
    run_machine(RegistryMachine, stock, examples=60, steps=40)
