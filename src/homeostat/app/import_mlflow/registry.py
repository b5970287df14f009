"""Bringing registered models over, when the runs and logged models that they came from are here."""

from dataclasses import replace

from homeostat.app.import_mlflow.tally import equal
from homeostat.app.import_mlflow.transfer import Transfer
from homeostat.core.errors import Conflict, InvalidInput, Unreachable
from homeostat.core.records.registry import ModelVersion, RegisteredModel
from homeostat.core.values import Json
from homeostat.registry.declared import Examined, examine
from homeostat.registry.names import IS_PROMPT
from homeostat.track.artifacts import blob_at, safe_path, uri_of

_KEPT_BY_LOOP = ("champion", "challenger", "previous")
_SOURCES_OF_PROMPTS = ("prompt-template", "dummy-source")


class Registry:
    """`kept` is the project's own model: the loop's aliases of it are not brought over."""

    def __init__(self, transfer: Transfer, *, kept: str | None) -> None:
        self._transfer = transfer
        self._kept = kept
        self._examined: dict[str, Examined] = {}

    def bring(self, model: RegisteredModel) -> None:
        """Bring over a model with its versions, their files and its aliases."""
        with self._transfer.store.write() as tx:
            if tx.models.find_model(model.name) is None:
                tx.models.add_model(model)
                self._transfer.note(tx, "registered_model.imported", f"model:{model.name}", {"tags": model.tags})
        versions = list(self._transfer.source.versions(model.name))
        for version in versions:
            with self._transfer.guarded(f"version {version.version} of '{model.name}'"):
                self._version(version, model)
        aliases = dict(self._transfer.source.aliases(model.name))
        if model.name == self._kept:
            for alias in _KEPT_BY_LOOP:
                if alias in aliases:
                    self._transfer.tell(
                        f"alias '{alias}' of '{model.name}' is the loop's to give: `homeostat models promote`"
                    )
                    del aliases[alias]
        with self._transfer.store.write() as tx:
            known = tx.models.aliases(model.name)
            numbers = {version.version for version in tx.models.versions(model.name)}
            for alias, number in aliases.items():
                if known.get(alias) != number and number in numbers:
                    tx.models.set_alias(model.name, alias, number)
                    self._transfer.note(tx, "alias.imported", f"model:{model.name}", {"alias": alias, "to": number})
        with self._transfer.store.read() as tx:
            found, here = tx.models.model(model.name), tx.models.aliases(model.name)
        self._transfer.tally.add("registered models", 1, 1)
        self._transfer.tally.add("tags", len(model.tags), equal(model.tags, found.tags))
        self._transfer.tally.add(
            "aliases", len(aliases), sum(here.get(alias) == number for alias, number in aliases.items())
        )

    def _version(self, version: ModelVersion, model: RegisteredModel) -> None:
        is_prompt = model.tags.get(IS_PROMPT, "").lower() == "true" or version.source in _SOURCES_OF_PROMPTS
        source, location = (version.source, "") if is_prompt else self._moved(version)
        examined = Examined() if not location else self._examine(location)
        ours = replace(
            version,
            source=source,
            location=location,
            digests=examined.digests,
            signature=examined.signature,
            lineage={**version.lineage, "imported_from": self._transfer.source.name},
        )
        with self._transfer.store.write() as tx:
            known = next((each for each in tx.models.versions(version.model) if each.version == version.version), None)
            if known is None:
                tx.models.add(ours)
                payload: Json = {"version": version.version, "run_id": version.run_id, "source": source}
                self._transfer.note(tx, "model_version.imported", f"model:{version.model}", payload)
            elif (known.run_id, known.model_id) != (version.run_id, version.model_id):
                raise Conflict(f"there is another version {version.version} of model '{version.model}' here already")
        with self._transfer.store.read() as tx:
            found = tx.models.get(version.model, version.version)
        self._transfer.tally.add("model versions", 1, 1)
        self._transfer.tally.add("tags", len(version.tags), equal(version.tags, found.tags))

    def _moved(self, version: ModelVersion) -> tuple[str, str]:
        """The source and the blob of a version: where its run's or logged model's files are now, else its own copy."""
        for address in (version.source, version.location):
            if (known := self._transfer.places.get(address.rstrip("/"))) is not None:
                is_named = address.startswith("models:/")
                return (address if is_named else known), blob_at(known)
        for address in (version.location, version.source):
            for theirs, ours in self._transfer.places.items():
                if theirs and address.startswith(f"{theirs}/"):
                    rest = safe_path(address.removeprefix(f"{theirs}/").rstrip("/"))
                    is_named = version.source.startswith(("models:/", "runs:/"))
                    return (version.source if is_named else f"{ours}/{rest}"), blob_at(ours, rest)
        own = f"artifacts/imported/{version.model}/{version.version}"
        try:
            files, size = self._transfer.files(version.location, own)
        except Unreachable as error:
            self._transfer.problem(f"files of version {version.version} of '{version.model}'", error)
            return version.source, ""
        self._transfer.tally.add("files", files, files)
        self._transfer.tally.add("bytes", size, size)
        return uri_of(own), own if files else ""

    def _examine(self, location: str) -> Examined:
        if location not in self._examined:
            try:
                self._examined[location] = examine(self._transfer.blobs, location)
            except InvalidInput as error:
                self._transfer.tell(f"{location}: {error.message}")
                self._examined[location] = Examined()
        return self._examined[location]
