"""Data versions, contracts and quarantined batches in SQL."""

from sqlalchemy import Connection, insert, select

from homeostat.core.errors import NotFound, near
from homeostat.core.records.data import DatasetVersion, QuarantinedBatch, QuarantineState
from homeostat.core.values import Json
from homeostat.storage.sql.rows import record_of, upsert, values_of
from homeostat.storage.sql.schema.data import dataset_versions, datasets, quarantine


class SqlDatasets:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, version: DatasetVersion) -> None:
        self._connection.execute(insert(dataset_versions).values(**values_of(version)))

    def latest(self, dataset: str) -> DatasetVersion | None:
        query = (
            select(dataset_versions)
            .where(dataset_versions.c.dataset == dataset)
            .order_by(dataset_versions.c.version.desc())
            .limit(1)
        )
        row = self._connection.execute(query).first()
        return None if row is None else record_of(DatasetVersion, row)

    def get(self, dataset: str, version: int) -> DatasetVersion:
        query = select(dataset_versions).where(
            dataset_versions.c.dataset == dataset, dataset_versions.c.version == version
        )
        row = self._connection.execute(query).first()
        if row is None:
            latest = self.latest(dataset)
            has = f"its newest is version {latest.version}" if latest else "`homeostat data commit` makes the first one"
            raise NotFound(f"no version {version} of data '{dataset}'", hint=has)
        return record_of(DatasetVersion, row)

    def by_key(self, dataset: str, key: str) -> DatasetVersion | None:
        query = select(dataset_versions).where(dataset_versions.c.dataset == dataset, dataset_versions.c.key == key)
        row = self._connection.execute(query).first()
        return None if row is None else record_of(DatasetVersion, row)

    def versions(self, dataset: str) -> list[DatasetVersion]:
        query = (
            select(dataset_versions).where(dataset_versions.c.dataset == dataset).order_by(dataset_versions.c.version)
        )
        return [record_of(DatasetVersion, row) for row in self._connection.execute(query)]

    def contract(self, dataset: str) -> Json | None:
        return self._connection.scalar(select(datasets.c.contract).where(datasets.c.dataset == dataset))

    def set_contract(self, dataset: str, contract: Json) -> None:
        upsert(self._connection, datasets, {"dataset": dataset, "contract": contract})

    def quarantine(self, batch: QuarantinedBatch) -> None:
        upsert(self._connection, quarantine, values_of(batch))

    def quarantined(self, dataset: str | None = None) -> list[QuarantinedBatch]:
        query = select(quarantine).order_by(quarantine.c.created, quarantine.c.batch_id)
        if dataset is not None:
            query = query.where(quarantine.c.dataset == dataset)
        found = self._connection.execute(query)
        return [record_of(QuarantinedBatch, row, state=QuarantineState(row.state)) for row in found]

    def quarantined_batch(self, batch_id: str) -> QuarantinedBatch:
        row = self._connection.execute(select(quarantine).where(quarantine.c.batch_id == batch_id)).first()
        if row is None:
            known = self._connection.scalars(select(quarantine.c.batch_id))
            raise NotFound(
                f"no quarantined batch '{batch_id}'", hint=near(batch_id, known) or "no batch is in quarantine"
            )
        return record_of(QuarantinedBatch, row, state=QuarantineState(row.state))
