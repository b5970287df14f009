"""The metadata store: one database, transactions, one object per port."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, NullPool, StaticPool, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, InternalError, OperationalError

from homeostat.core.errors import InvalidInput, MissingExtra, Unreachable
from homeostat.storage.sql.experiments import make_default
from homeostat.storage.sql.patterns import matches
from homeostat.storage.sql.prepared import raw
from homeostat.storage.sql.schema import metadata
from homeostat.storage.sql.transaction import SqlTransaction
from homeostat.storage.sql.writer import GroupWriter, told

T = TypeVar("T")

_BUSY_S = 30.0
_CACHE_KB = 32_000
_CHECKPOINT_PAGES = 4000
_LOCK = 0x686F6D65  # "home": the advisory lock that makes PostgreSQL's writers queue, as SQLite's do
_ASLEEP_MS = (
    10_000  # a process that is stopped, or cut off, in the midst of a change would hold up all the others' for as long
)
_BEGIN_ALONE = (
    f"BEGIN; SET LOCAL idle_in_transaction_session_timeout = {_ASLEEP_MS}; SELECT pg_advisory_xact_lock({_LOCK})"
)


class SqlStore:
    """Implements core.ports.store.Store. Its engine is in autocommit: each transaction here says BEGIN and COMMIT itself. Safe to use from several threads and, for a file or a server, several processes."""

    def __init__(self, engine: Engine, *, shared_connection: bool = False) -> None:
        self.engine = engine
        self._writing = threading.RLock()
        self._one_at_a_time = shared_connection
        self._writer = GroupWriter(self.write)
        # a file's connections are kept apart by use: a reader's cannot write, and the writer's has its statements ready
        self._idle_writers: list[Connection] = []
        self._idle_readers: list[Connection] = []

    def submit(self, change: Callable[[Any], T], done: Callable[[T | None, BaseException | None], None]) -> None:
        self._writer.submit(change, done)

    @contextmanager
    def write(self) -> Iterator[SqlTransaction]:
        with self._writing, self._connection(self._idle_writers) as connection:
            # IMMEDIATE takes the write lock at once: a transaction that reads first can't fail half-way with "database is locked"
            try:
                raw(connection).execute("BEGIN IMMEDIATE" if self._is_sqlite else _BEGIN_ALONE)
                yield SqlTransaction(connection)
                raw(connection).execute("COMMIT")
            except BaseException as error:
                # a database that failed may have rolled back by itself, or be gone; what is told is why it failed
                if not connection.invalidated:
                    with suppress(DatabaseError, self.engine.dialect.loaded_dbapi.Error):
                        raw(connection).execute("ROLLBACK")
                if (understood := told(error)) is not error:
                    raise understood from error
                driver = self.engine.dialect.loaded_dbapi
                # InternalError: the server ended a session that slept in its change
                if isinstance(error, OperationalError | InternalError | driver.OperationalError | driver.InternalError):
                    raise _unreachable(self.engine, error) from error
                raise

    @contextmanager
    def read(self) -> Iterator[SqlTransaction]:
        with (
            self._writing if self._one_at_a_time else nullcontext(),
            self._connection(self._idle_readers) as connection,
        ):
            if self._one_at_a_time:
                raw(connection).execute("PRAGMA query_only = ON")
            raw(connection).execute("BEGIN" if self._is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            try:
                yield SqlTransaction(connection)
            finally:
                if not connection.invalidated:
                    raw(connection).execute("ROLLBACK")
                if self._one_at_a_time:
                    raw(connection).execute("PRAGMA query_only = OFF")

    def close(self) -> None:
        self._writer.close()
        for connection in (*self._idle_writers, *self._idle_readers):
            connection.close()
        self.engine.dispose()

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def _connection(self, idle: list[Connection]) -> Iterator[Connection]:
        """Lend a connection: for a file one that is kept for this use, else one of the pool."""
        if self._one_at_a_time or not self._is_sqlite:
            with self._connect() as connection:
                yield connection
            return
        try:
            kept = idle.pop()
        except IndexError:
            kept = self._open()
            # each change keeps what its savepoint would bring back: in memory, else half of all writes would go to a temporary file
            own = "PRAGMA query_only = ON" if idle is self._idle_readers else "PRAGMA temp_store = MEMORY"
            raw(kept).execute(own)
        try:
            yield kept
        except BaseException:
            if raw(kept).in_transaction:  # it could not even be rolled back: it is not lent again
                kept.invalidate()
                kept.close()
            else:
                idle.append(kept)
            raise
        idle.append(kept)

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with self._open() as connection:
            yield connection

    def _open(self) -> Connection:
        try:
            return self.engine.connect()
        except DatabaseError as error:
            raise _unreachable(self.engine, error) from error


def open_store(url: str) -> SqlStore:
    """Return the store at a SQLAlchemy URL (`sqlite:///…` or `postgresql+psycopg://…`), its schema brought up to date."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(url)
    if parsed.get_backend_name() != "postgresql":
        raise InvalidInput(
            f"'{parsed.get_backend_name()}' is not a database that Homeostat keeps its records in",
            hint="use sqlite:///file.db or postgresql+psycopg://user@host/name",
        )
    try:
        engine = create_engine(parsed, pool_pre_ping=True, isolation_level="AUTOCOMMIT")
    except ModuleNotFoundError as error:
        raise MissingExtra("PostgreSQL needs psycopg, which is not installed", extra="postgres") from error
    return _up_to_date(SqlStore(engine))


def open_memory_store() -> SqlStore:
    """Return an empty store in memory, for tests and simulated time. It goes with the process."""
    engine = create_engine(
        "sqlite://", poolclass=StaticPool, isolation_level="AUTOCOMMIT", connect_args={"check_same_thread": False}
    )
    _tune_sqlite(engine, in_memory=True)
    metadata.create_all(engine)
    return _with_default(SqlStore(engine, shared_connection=True))


def _open_sqlite(url: str) -> SqlStore:
    path = make_url(url).database
    if not path or path == ":memory:":
        return open_memory_store()
    Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # the store keeps the connections that it needs: the pool must not hold them back
    engine = create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=NullPool,
        connect_args={"timeout": _BUSY_S, "check_same_thread": False, "cached_statements": 512},
    )
    _tune_sqlite(engine)
    return _up_to_date(SqlStore(engine))


def _tune_sqlite(engine: Engine, *, in_memory: bool = False) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: object, _record: object) -> None:
        connection.create_function("regexp", 2, matches, deterministic=True)  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA foreign_keys = ON")
        if not in_memory:
            _use_wal(cursor)
            cursor.execute("PRAGMA synchronous = FULL")  # acknowledged means durable
            cursor.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
            cursor.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        cursor.close()


def _use_wal(cursor: Any) -> None:
    """Switch the file to a write-ahead log; SQLite does not wait by itself for others that switch it at the same moment."""
    deadline = time.monotonic() + _BUSY_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.005)
        else:
            return


def _up_to_date(store: SqlStore) -> SqlStore:
    from homeostat.storage.sql.migrate import HEAD, create, current, upgrade

    try:
        found = current(store.engine)
        if found is None:
            create(store.engine)
            return _with_default(store)
        if found != HEAD:
            upgrade(store.engine)
    except DatabaseError as error:
        raise _unreachable(store.engine, error) from error
    return store


def _with_default(store: SqlStore) -> SqlStore:
    with store.engine.connect() as connection:
        make_default(connection, now=datetime.now(UTC))
    return store


def _unreachable(engine: Engine, error: BaseException) -> Unreachable:
    return Unreachable(
        f"the database {engine.url.render_as_string(hide_password=True)} does not answer: {getattr(error, 'orig', None) or error}",
        hint="is the disk full, does another program hold the database, is it the right file or address?",
    )
