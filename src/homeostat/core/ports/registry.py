"""Where models and their versions are kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from homeostat.core.queries import ModelQuery
from homeostat.core.records.registry import GateReport, ModelVersion, RegisteredModel


class ModelStore(Protocol):
    def add(self, version: ModelVersion) -> None:
        """Insert the version; its model is registered by the way where it is new."""

    def replace(self, version: ModelVersion) -> None:
        """Store all of a version anew, tags included."""

    def delete(self, model: str, version: int, *, now: datetime) -> None:
        """Take a version and its aliases away; its number is not given out again."""

    def search(self, query: ModelQuery) -> list[ModelVersion]: ...
    def add_model(self, model: RegisteredModel) -> None:
        """Register a name; raise Conflict where it is taken."""

    def model(self, name: str) -> RegisteredModel:
        """Return what is said of a name; raise NotFound with near ones."""

    def find_model(self, name: str) -> RegisteredModel | None: ...
    def replace_model(self, model: RegisteredModel) -> None: ...
    def rename_model(self, name: str, new: str, *, now: datetime) -> None:
        """Give the model, its versions, aliases and reports another name."""

    def delete_model(self, name: str) -> None:
        """Take a model away with all its versions and aliases."""

    def search_models(self, query: ModelQuery) -> list[RegisteredModel]: ...
    def set_tag(self, model: str, key: str, value: str | None, *, version: int | None = None) -> None:
        """Set a tag of a model or of one version (None: take it away)."""

    def latest(self, models: Sequence[str]) -> list[ModelVersion]:
        """Return the newest version of each model in each stage."""

    def aliases_of(self, models: Sequence[str]) -> dict[str, dict[str, int]]:
        """Return the aliases of several models at once."""

    def next_version(self, model: str) -> int: ...
    def get(self, model: str, version: int) -> ModelVersion: ...
    def by_run(self, model: str, run_id: str) -> ModelVersion | None: ...
    def versions(self, model: str) -> list[ModelVersion]: ...
    def models(self) -> list[str]: ...
    def set_health(self, model: str, version: int, health: str) -> None: ...
    def alias(self, model: str, alias: str) -> int | None: ...
    def aliases(self, model: str) -> dict[str, int]: ...
    def set_alias(self, model: str, alias: str, version: int | None) -> None: ...
    def add_report(self, report: GateReport) -> None: ...
    def report(self, report_id: str) -> GateReport: ...
    def reports(self, model: str, *, limit: int = 50) -> list[GateReport]: ...
