"""The database of records: SQLAlchemy engine, pragmas, migrations."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from tasks.clients.fence import check_fence_in
from tasks.clients.tables import SQLITE_PAGE_BYTES, Base
from tasks.core.errors import RecordsUnavailable

LOCK_TIMEOUT: Final = timedelta(seconds=30)  # a writer holds the lock for one fsync, some milliseconds
CONNECT_TIMEOUT: Final = timedelta(seconds=10)
KEYS_AT_ONCE: Final = 500  # values in one query, far below every database's limit of parameters
CHECKPOINT_DEADLINE: Final = timedelta(seconds=5)  # a reader holds its snapshot for one short transaction
CHECKPOINT_ATTEMPT: Final = timedelta(milliseconds=250)  # each attempt keeps writers out, so it is short

_MIGRATION_LOCK_ID: Final = 0x63657274  # "cert": a PostgreSQL advisory lock of ours
_SQLITE_ERROR: Final = 1  # SQLITE_ERROR: bad SQL or a missing table, never transient
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


class Database:
    """
    SQLite (WAL, synchronous=FULL, secure_delete=ON, foreign keys) or PostgreSQL, by URL.

    Safe to share between threads; several processes may use the same database. A SQLite file is made
    readable by its owner alone, and its directory too where that is missing.

    Args:
        url: ``sqlite:////absolute/path`` or ``postgresql+psycopg://...``.
    """

    def __init__(self, url: str) -> None:
        parsed = make_url(url)
        self.engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _server_engine(parsed)
        self._reader = self.engine.execution_options(sqlite_begin="BEGIN", postgresql_readonly=True)

    def migrate(self) -> None:
        """Bring the schema to the newest revision (alembic upgrade head); safe to repeat, and at the same time."""
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self._translated(), self.engine.begin() as connection:
            lock_for_transaction(connection, _MIGRATION_LOCK_ID)  # alembic's globals take one thread at a time too
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """
        Open one transaction: committed at the end of the block, rolled back by an exception.

        On SQLite it is the only writer from its first statement to its end. On PostgreSQL it is read
        committed: what is read to be written must be locked (`with_for_update`) or guarded by a constraint.

        Raises:
            LeaseLost: The lease that this context holds has been taken over.

            RecordsUnavailable: The database cannot be reached, or is locked for longer than 30 s.
        """
        with self._translated(), Session(self.engine) as session, session.begin():
            check_fence_in(session)
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """
        Open one transaction to read in: on SQLite it does not wait for writers, on PostgreSQL it cannot write.

        Raises:
            RecordsUnavailable: The database cannot be reached, or is locked for longer than 30 s.
        """
        with self._translated(), Session(self._reader) as session, session.begin():
            yield session

    def checkpoint(self) -> None:
        """
        Leave nothing in SQLite's write-ahead log: it is copied into the file and cut to nothing. Safe to repeat.

        With secure_delete that takes the last copy of a shredded value off the database's files (not off
        the disk below, backups or snapshots). PostgreSQL has no such means: there a dead row and the log
        keep the wrapped value until they are recycled, and the shred rests on the key provider.

        Raises:
            RecordsUnavailable: A reader has kept an old snapshot for 5 s; nothing is lost, call again.
        """
        if self.engine.dialect.name == "sqlite":
            deadline = time.monotonic() + CHECKPOINT_DEADLINE.total_seconds()
            with self._translated():
                while not self._cut_log():
                    if time.monotonic() > deadline:
                        raise RecordsUnavailable.because("records", "a reader holds the write-ahead log")

    def dispose(self) -> None:
        """Close all pooled connections."""
        self.engine.dispose()

    def _cut_log(self) -> bool:
        """Try one truncating checkpoint, outside any transaction, and give whether it was complete."""
        pooled = self.engine.raw_connection()
        try:
            cursor = pooled.cursor()
            cursor.execute(f"PRAGMA busy_timeout={_milliseconds(CHECKPOINT_ATTEMPT)}")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            answer = cursor.fetchone()
            cursor.execute(f"PRAGMA busy_timeout={_milliseconds(LOCK_TIMEOUT)}")
            return answer is not None and answer[0] == 0  # (busy, frames in the log, frames copied)
        finally:
            pooled.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except PoolTimeout as error:
            raise RecordsUnavailable.because("records", "all connections are in use") from error
        except DBAPIError as error:
            if not _is_transient(error):
                raise
            raise RecordsUnavailable.because("records", _name_of(error)) from error


def insert_once(session: Session, row: type[Base], **values: Any) -> None:
    """
    Insert a row, unless one is there that a unique constraint says is the same.

    A concurrent insert of the same row is waited for, so that a select right after this sees the one that won.
    """
    dialect = session.get_bind().dialect.name
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    session.execute(insert(row).values(**values).on_conflict_do_nothing())


def insert_all_once(session: Session, row: type[Base], values: Sequence[Mapping[str, Any]]) -> None:
    """As `insert_once`, of many rows in one statement; they all have the same columns."""
    if values:
        dialect = session.get_bind().dialect.name
        insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
        session.connection().execute(insert(cast("Table", row.__table__)).on_conflict_do_nothing(), list(values))


def lock_for_transaction(connection: Connection | Session, lock_id: int) -> None:
    """Let one transaction at a time pass here, on PostgreSQL; on SQLite a writing transaction is alone already."""
    dialect = connection.dialect if isinstance(connection, Connection) else connection.get_bind().dialect
    if dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": lock_id})


def _server_engine(url: URL) -> Engine:
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": int(CONNECT_TIMEOUT.total_seconds()),
            "options": f"-c lock_timeout={_milliseconds(LOCK_TIMEOUT)}",
        },
    )


def _sqlite_engine(url: URL) -> Engine:
    _create_private_file(Path(str(url.database)))
    engine = create_engine(url, hide_parameters=True, connect_args={"timeout": LOCK_TIMEOUT.total_seconds()})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _create_private_file(path: Path) -> None:
    """Make the file before SQLite does: its -wal and -shm take over its mode."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver opens no transactions: `_begin_sqlite` does
    for pragma in (
        f"page_size={SQLITE_PAGE_BYTES}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "secure_delete=ON",
        "foreign_keys=ON",
        "recursive_triggers=ON",  # else INSERT OR REPLACE deletes from an append-only table unseen
        "temp_store=MEMORY",  # no row in a temporary file
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first and then writes could not wait for it."""
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN IMMEDIATE"))


def _is_transient(error: DBAPIError) -> bool:
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    return isinstance(error, OperationalError) and code != _SQLITE_ERROR


def _name_of(error: DBAPIError) -> str:
    return str(getattr(error.orig, "sqlite_errorname", type(error.orig).__name__))


def _milliseconds(duration: timedelta) -> int:
    return int(duration.total_seconds() * 1000)
