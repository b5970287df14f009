"""Brings a database's schema up to date. Alembic is imported only when there is something to do: it costs 0.3 s."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, MetaData, String, Table, inspect, text

from homeostat.core.errors import Conflict

HEAD = "0003"
_LOCK = 0x6D696772  # "migr": processes that find an empty PostgreSQL at once queue here
_ONE_AT_A_TIME = threading.Lock()  # Alembic's context is one per process


def current(engine: Engine) -> str | None:
    """Return the revision that the database is at, None where it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return str(revision) if revision else None


def create(engine: Engine) -> None:
    """Make the tables of an empty database as they are today, and say so as the migrations would; they need not be run one by one.

    A database that somebody else has filled in the meantime is left as it is.
    """
    from homeostat.storage.sql.schema import metadata

    with engine.connect() as connection, _alone(connection):
        if inspect(connection).has_table("alembic_version"):
            return
        metadata.create_all(connection)
        version = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
        version.create(connection)
        connection.execute(version.insert().values(version_num=HEAD))


def upgrade(engine: Engine) -> None:
    """Run the missing migrations in one transaction; processes that start together queue."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    script = ScriptDirectory(str(Path(__file__).parent / "migrations"))

    def steps(revision: tuple[str, ...] | str | None, _context: object) -> list[object]:
        return script._upgrade_revs("head", revision)  # type: ignore[arg-type,return-value]  # noqa: SLF001 - what alembic.command does

    with (
        _ONE_AT_A_TIME,
        engine.connect() as connection,
        EnvironmentContext(Config(), script, fn=steps) as environment,
    ):
        try:
            with _alone(connection):
                environment.configure(connection=connection)
                environment.run_migrations()
        except CommandError as error:
            if "Can't locate revision" in str(error):
                raise Conflict(
                    "the database was written by a newer Homeostat", hint="upgrade this installation"
                ) from error
            raise


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Hold a transaction in which nobody else changes the database."""
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_sqlite else "BEGIN")
    try:
        if not is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
