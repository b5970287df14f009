"""All metadata in one database transaction: one object per port, made when it is asked for."""

from functools import cached_property

from sqlalchemy import Connection

from homeostat.storage.sql.audit import SqlAudit
from homeostat.storage.sql.cycles import SqlCycles
from homeostat.storage.sql.datasets import SqlDatasets
from homeostat.storage.sql.experiments import SqlExperiments
from homeostat.storage.sql.garbage import SqlGarbage
from homeostat.storage.sql.incidents import SqlIncidents
from homeostat.storage.sql.logged_models import SqlLoggedModels
from homeostat.storage.sql.models import SqlModels
from homeostat.storage.sql.prepared import raw
from homeostat.storage.sql.routes import SqlRoutes
from homeostat.storage.sql.runs import SqlRuns
from homeostat.storage.sql.traces import SqlTraces
from homeostat.storage.sql.watch import SqlWatch
from homeostat.storage.sql.webhooks import SqlWebhooks


class SqlTransaction:
    """Implements core.ports.store.Transaction on one connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._connection)

    @cached_property
    def experiments(self) -> SqlExperiments:
        return SqlExperiments(self._connection)

    @cached_property
    def runs(self) -> SqlRuns:
        return SqlRuns(self._connection)

    @cached_property
    def datasets(self) -> SqlDatasets:
        return SqlDatasets(self._connection)

    @cached_property
    def models(self) -> SqlModels:
        return SqlModels(self._connection)

    @cached_property
    def logged_models(self) -> SqlLoggedModels:
        return SqlLoggedModels(self._connection)

    @cached_property
    def routes(self) -> SqlRoutes:
        return SqlRoutes(self._connection)

    @cached_property
    def watch(self) -> SqlWatch:
        return SqlWatch(self._connection)

    @cached_property
    def incidents(self) -> SqlIncidents:
        return SqlIncidents(self._connection)

    @cached_property
    def cycles(self) -> SqlCycles:
        return SqlCycles(self._connection)

    @cached_property
    def traces(self) -> SqlTraces:
        return SqlTraces(self._connection)

    @cached_property
    def webhooks(self) -> SqlWebhooks:
        return SqlWebhooks(self._connection)

    @cached_property
    def garbage(self) -> SqlGarbage:
        return SqlGarbage(self._connection)

    def savepoint(self) -> None:
        """Remember this place in the transaction, for a change that may have to be undone alone."""
        raw(self._connection).execute("SAVEPOINT change")

    def release_savepoint(self) -> None:
        raw(self._connection).execute("RELEASE SAVEPOINT change")

    def roll_back_to_savepoint(self) -> None:
        raw(self._connection).execute("ROLLBACK TO SAVEPOINT change")
        raw(self._connection).execute("RELEASE SAVEPOINT change")
        vars(self).pop("audit", None)  # it knew an end of the chain that is undone
