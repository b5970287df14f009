"""Model versions, aliases and gate reports in SQL."""

from sqlalchemy import Connection, delete, func, insert, select, update

from homeostat.core.errors import NotFound, near
from homeostat.core.records import GateReport, ModelVersion
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.models import gate_reports, model_aliases, model_versions


class SqlModels:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, version: ModelVersion) -> None:
        self._connection.execute(insert(model_versions).values(**values_of(version)))

    def next_version(self, model: str) -> int:
        newest = select(func.max(model_versions.c.version)).where(model_versions.c.model == model)
        return int(self._connection.scalar(newest) or 0) + 1

    def get(self, model: str, version: int) -> ModelVersion:
        query = select(model_versions).where(model_versions.c.model == model, model_versions.c.version == version)
        row = self._connection.execute(query).first()
        if row is None:
            if model not in self.models():
                raise NotFound(f"no model '{model}'", hint=near(model, self.models()))
            raise NotFound(
                f"no version {version} of model '{model}'", hint=f"it has versions 1 to {self.next_version(model) - 1}"
            )
        return record_of(ModelVersion, row)

    def by_run(self, model: str, run_id: str) -> ModelVersion | None:
        query = select(model_versions).where(model_versions.c.model == model, model_versions.c.run_id == run_id)
        row = self._connection.execute(query).first()
        return None if row is None else record_of(ModelVersion, row)

    def versions(self, model: str) -> list[ModelVersion]:
        query = select(model_versions).where(model_versions.c.model == model).order_by(model_versions.c.version)
        return [record_of(ModelVersion, row) for row in self._connection.execute(query)]

    def models(self) -> list[str]:
        return list(self._connection.scalars(select(model_versions.c.model).distinct().order_by("model")))

    def set_health(self, model: str, version: int, health: str) -> None:
        which = (model_versions.c.model == model) & (model_versions.c.version == version)
        self._connection.execute(update(model_versions).where(which).values(health=health))

    def alias(self, model: str, alias: str) -> int | None:
        query = select(model_aliases.c.version).where(model_aliases.c.model == model, model_aliases.c.alias == alias)
        return self._connection.scalar(query)

    def aliases(self, model: str) -> dict[str, int]:
        query = select(model_aliases).where(model_aliases.c.model == model).order_by(model_aliases.c.alias)
        return {row.alias: row.version for row in self._connection.execute(query)}

    def set_alias(self, model: str, alias: str, version: int | None) -> None:
        if version is None:
            which = (model_aliases.c.model == model) & (model_aliases.c.alias == alias)
            self._connection.execute(delete(model_aliases).where(which))
            return
        self.get(model, version)
        upsert(self._connection, model_aliases, {"model": model, "alias": alias, "version": version})

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
