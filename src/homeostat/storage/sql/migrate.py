"""Brings a database's schema up to date. Alembic is imported only when there is something to do: it costs 0.3 s."""

import threading
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from homeostat.core.errors import Conflict

HEAD = "0001"
_LOCK = 0x6D696772  # "migr": processes that find an empty PostgreSQL at once queue here
_ONE_AT_A_TIME = threading.Lock()  # Alembic's context is one per process


def current(engine: Engine) -> str | None:
    """Return the revision that the database is at, None where it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return str(revision) if revision else None


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; processes that start together queue."""
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(Path(__file__).parent / "migrations"))

    def steps(revision: tuple[str, ...] | str | None, _context: object) -> list[object]:
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type,return-value]  # noqa: SLF001 - what alembic.command does

    from alembic.config import Config

    with (
        _ONE_AT_A_TIME,
        engine.connect() as connection,
        EnvironmentContext(Config(), script, fn=steps) as environment,
    ):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN")
        try:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            environment.configure(connection=connection)
            environment.run_migrations()
        except BaseException as error:
            connection.exec_driver_sql("ROLLBACK")
            if "Can't locate revision" in str(error):
                raise Conflict(
                    "the database was written by a newer Homeostat", hint="upgrade this installation"
                ) from error
            raise
        connection.exec_driver_sql("COMMIT")
