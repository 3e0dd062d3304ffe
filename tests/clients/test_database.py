"""The database of records: its schema, its promises about files, and what it says when it cannot answer."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from tasks.clients import database as module
from tasks.clients.audit import AuditTrail
from tasks.clients.billing import EmbeddedLedger
from tasks.clients.database import Database
from tasks.clients.records.accounts import Accounts
from tasks.clients.records.certificates import Certificates
from tasks.clients.records.decisions import Decisions
from tasks.clients.tables import APPEND_ONLY, AccountRow, Base
from tasks.core.errors import RecordsUnavailable
from tasks.core.model import Account, Approval
from tests.clients.examples import (
    ACME,
    NOW,
    SHOP,
    a_confirmation,
    a_recorded_certificate,
    a_recorded_drop,
    an_enable,
    at_once,
    with_site,
)
from tests.clients.schema import build_schema, drop_everything

DROP = "drop-aaaaaaaaaaaaaaaaaaaaaaaaaa"


class TestMigrate:
    def test_schema_is_what_the_tables_say(self, database: Database) -> None:
        """Alembic finds no difference between the migrated schema and tables.py."""
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_server_default": True})
            assert compare_metadata(context, Base.metadata) == []

    def test_migrating_again_keeps_every_row(self, database: Database) -> None:
        """A start of the stack on a current schema changes nothing."""
        Accounts(database).create_account(ACME, NOW)

        database.migrate()

        assert Accounts(database).list_accounts() == (ACME,)

    def test_processes_that_migrate_at_once_all_succeed(self, database_url: str, database: Database) -> None:
        """Server, worker and front desk may start together on an empty database."""
        drop_everything(database)
        program = "import sys; from tasks.clients.database import Database; Database(sys.argv[1]).migrate()"
        processes = [subprocess.Popen([sys.executable, "-c", program, database_url]) for _ in range(3)]

        assert [process.wait(timeout=60) for process in processes] == [0, 0, 0]
        assert Accounts(database).list_accounts() == ()

    def test_threads_that_migrate_at_once_all_succeed(self, database_url: str, database: Database) -> None:
        """Also within one process, where alembic keeps its context in globals."""
        drop_everything(database)

        at_once([Database(database_url).migrate for _ in range(4)])

        assert Accounts(database).list_accounts() == ()


class TestDecisionsOfBefore:
    def test_migration_keeps_what_was_decided(self, database: Database) -> None:
        """An approval and a match from when only drops were decided on are there afterwards, under their drop."""
        build_schema(database, "0002")
        _decide_as_before(with_site(database))

        database.migrate()

        assert Decisions(database).find_match(DROP) == "ticket-1"
        approval = Decisions(database).find(DROP, "5" * 64)
        assert approval is not None
        assert (approval.subject, approval.decision) == (DROP, "approve")


class TestAppendOnly:
    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_refuses_update_and_delete(self, database: Database, table: str) -> None:
        """Decisions, proofs, charges and the trail are never changed, by whomever."""
        _fill_append_only(database)
        column = next(iter(Base.metadata.tables[table].columns)).name
        for change in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError, match=f"{table} is append-only"), database.transaction() as session:
                session.execute(text(change))

        with database.reading() as session:
            assert session.scalar(text(f"SELECT count(*) FROM {table}"))

    @pytest.mark.parametrize("table", APPEND_ONLY)
    def test_refuses_the_dialects_other_ways_to_delete(self, database: Database, table: str) -> None:
        """Neither TRUNCATE nor INSERT OR REPLACE gets around it."""
        _fill_append_only(database)
        sqlite = database.engine.dialect.name == "sqlite"
        way = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}" if sqlite else f"TRUNCATE {table} CASCADE"
        with pytest.raises(IntegrityError, match="is append-only"), database.transaction() as session:
            session.execute(text(way))


class TestTransaction:
    def test_an_exception_rolls_back(self, database: Database) -> None:
        """A transaction is whole or not at all."""
        with pytest.raises(ZeroDivisionError), database.transaction() as session:
            session.add(AccountRow(name="acme", contact="a@acme.test", created_at=NOW))
            session.flush()
            raise ZeroDivisionError

        assert Accounts(database).list_accounts() == ()

    def test_a_lock_held_too_long_is_unavailable(
        self, monkeypatch: pytest.MonkeyPatch, database_url: str, database: Database
    ) -> None:
        """A locked database is tried again from the retry table, not a crash."""
        monkeypatch.setattr(module, "LOCK_TIMEOUT", timedelta(milliseconds=50))
        hasty = Database(database_url)
        Accounts(database).create_account(ACME, NOW)

        with database.transaction() as session:
            session.get(AccountRow, "acme", with_for_update=True)
            with pytest.raises(RecordsUnavailable, match="records-unavailable"):
                Accounts(hasty).create_account(Account("acme", "new@acme.test"), NOW)

    def test_a_server_that_does_not_answer_is_unavailable(self) -> None:
        """No server is a matter of retries; the message holds no password."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            database = Database(f"postgresql+psycopg://user:hunter2@127.0.0.1:{closed.getsockname()[1]}/none")
            with pytest.raises(RecordsUnavailable) as refusal:
                Accounts(database).list_accounts()

        assert "hunter2" not in f"{refusal.value} {refusal.value.__cause__!r}"

    @pytest.mark.postgres
    @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
    def test_a_connection_the_server_has_cut_is_replaced(self, database: Database) -> None:
        """A restarted PostgreSQL costs no error: a dead pooled connection is noticed before it is used."""
        with database.engine.connect() as connection:
            own = connection.scalar(text("SELECT pg_backend_pid()"))
            Accounts(database).list_accounts()
            others = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> :own AND datname = "
            connection.execute(text(others + "current_database()"), {"own": own})

        assert Accounts(database).list_accounts() == ()

    def test_a_missing_table_is_loud(self, database: Database) -> None:
        """A database that was not migrated is a mistake, which no retry mends."""
        drop_everything(database)
        with pytest.raises(DBAPIError, match="accounts"):
            Accounts(database).list_accounts()

    def test_errors_show_no_parameters(self, database: Database) -> None:
        """An exception may be logged, and a parameter may be a wrapped seed."""
        with pytest.raises(IntegrityError) as refusal, database.transaction() as session:
            session.execute(text("INSERT INTO accounts (name) VALUES (:name)"), {"name": "canary-value"})

        assert "canary-value" not in str(refusal.value).split("[SQL")[1]

    def test_a_time_without_zone_is_refused(self, database: Database) -> None:
        """A naive time would be guessed at."""
        with pytest.raises(StatementError, match="without a zone"):
            Accounts(database).create_account(ACME, datetime(2026, 1, 1))


class TestSQLite:
    def test_files_are_for_their_owner_alone(self, sqlite_database: Database, tmp_path: Path) -> None:
        """Directory 0700, file 0600, and so are the log and the shared memory."""
        before = os.umask(0)
        try:
            with sqlite_database.transaction() as session:
                session.add(AccountRow(name="acme", contact="a@acme.test", created_at=NOW))
                modes = {path.name: _mode(path) for path in (tmp_path / "records").iterdir()}
        finally:
            os.umask(before)

        assert _mode(tmp_path / "records") == 0o700
        assert modes == {"certferry.db": 0o600, "certferry.db-shm": 0o600, "certferry.db-wal": 0o600}

    @pytest.mark.parametrize(
        ("pragma", "value"),
        [
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("secure_delete", 1),
            ("foreign_keys", 1),
            ("busy_timeout", 30_000),
            ("temp_store", 2),
            ("page_size", 4096),
        ],
    )
    def test_every_connection_is_durable_and_clean(
        self, sqlite_database: Database, pragma: str, value: str | int
    ) -> None:
        """A commit is on disk, a deleted value is overwritten, a reference holds; also after a checkpoint."""
        sqlite_database.checkpoint()
        with sqlite_database.engine.connect() as connection:
            assert value == connection.exec_driver_sql(f"PRAGMA {pragma}").scalar()

    def test_readers_do_not_wait_for_a_writer(self, sqlite_database: Database) -> None:
        """A customer who asks for a state gets the last committed one while a step writes."""
        with sqlite_database.transaction() as session:
            session.add(AccountRow(name="acme", contact="a@acme.test", created_at=NOW))
            session.flush()

            assert Accounts(sqlite_database).list_accounts() == ()


class TestCheckpoint:
    def test_leaves_an_empty_log(self, sqlite_database: Database, tmp_path: Path) -> None:
        """After it, the write-ahead log holds no byte."""
        Accounts(sqlite_database).create_account(ACME, NOW)
        log = tmp_path / "records" / "certferry.db-wal"
        assert log.stat().st_size > 0

        sqlite_database.checkpoint()

        assert log.stat().st_size == 0

    def test_says_so_when_a_reader_is_in_the_way(
        self, monkeypatch: pytest.MonkeyPatch, sqlite_database: Database, tmp_path: Path
    ) -> None:
        """A checkpoint that could not finish never looks like one that did; once the reader is gone it works."""
        monkeypatch.setattr(module, "CHECKPOINT_DEADLINE", timedelta(milliseconds=10))
        monkeypatch.setattr(module, "CHECKPOINT_ATTEMPT", timedelta(milliseconds=10))
        Accounts(sqlite_database).create_account(ACME, NOW)
        with sqlite_database.reading() as session:
            session.get(AccountRow, "acme")
            Accounts(sqlite_database).create_account(Account("other", "a@other.test"), NOW)
            with pytest.raises(RecordsUnavailable, match="a reader holds the write-ahead log"):
                sqlite_database.checkpoint()

        sqlite_database.checkpoint()

        assert (tmp_path / "records" / "certferry.db-wal").stat().st_size == 0

    def test_is_nothing_to_a_server(self, database: Database) -> None:
        """Steps call it without asking which database it is."""
        database.checkpoint()
        database.checkpoint()


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _decide_as_before(database: Database) -> None:
    """Write what revision 0002 held of a hand-over that was asked for and approved."""
    with database.engine.begin() as connection:
        for table, values in (
            ("drops", {"id": DROP, "name": "edge", "account": "acme", "app": "shop", "hostname": SHOP,
                       "state": "ingested", "requested_by": "account:acme", "created_at": NOW, "expires_at": NOW}),
            ("approvals", {"drop_id": DROP, "plan_sha256": "5" * 64, "decision": "approve", "approver": "grace",
                           "note": "", "at": NOW}),
            ("ticket_matches", {"drop_id": DROP, "ticket_id": "ticket-1", "matched_by": "grace", "at": NOW}),
        ):  # fmt: skip
            columns, places = ", ".join(values), ", ".join(f":{name}" for name in values)
            stored = {
                name: value.isoformat(" ") if isinstance(value, datetime) else value for name, value in values.items()
            }
            connection.execute(text(f"INSERT INTO {table} ({columns}) VALUES ({places})"), stored)


def _fill_append_only(database: Database) -> None:
    """Write a row into every append-only table."""
    with_site(database)
    certificate = a_recorded_certificate(database)
    drop = a_recorded_drop(database, "other")
    EmbeddedLedger(database).charge(an_enable(a_confirmation(database, certificate)), NOW)
    Certificates(database).mark_compromised("4" * 64, "seen in a ticket", NOW)
    Decisions(database).match(drop.id, "ticket-1", "watch-tickets", NOW)
    Decisions(database).decide(Approval(drop.id, "5" * 64, "approve", "grace", "", NOW))
    AuditTrail(database).append("operator:grace", "approved", drop.id, {}, NOW)
