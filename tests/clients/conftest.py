"""The records, on both databases: every test that asks for `database` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tasks.clients.database import Database
from tests.clients.schema import drop_everything

SERVER = "127.0.0.1:5432"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Lend an empty database of a PostgreSQL on its standard port, and drop it in the end."""
    user, name = _find_user(), f"certferry_test_{secrets.token_hex(6)}"
    with psycopg.connect(f"postgresql://{user}@{SERVER}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")  # a name of our own making
        yield f"postgresql+psycopg://{user}@{SERVER}/{name}"
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records/certferry.db"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A migrated database without a row."""
    database = Database(database_url)
    if database.engine.dialect.name == "postgresql":
        drop_everything(database)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def sqlite_database(tmp_path: Path) -> Iterator[Database]:
    """A migrated SQLite database below `tmp_path`/records."""
    database = Database(f"sqlite:///{tmp_path}/records/certferry.db")
    database.migrate()
    yield database
    database.dispose()


def _find_user() -> str:
    """Give a user that the server lets in without a password, or skip the test."""
    refusals = []
    for user in ("postgres", "root"):
        try:
            psycopg.connect(f"postgresql://{user}@{SERVER}/postgres", connect_timeout=3).close()
        except psycopg.OperationalError as error:
            refusals.append(f"{user}: {str(error).strip().splitlines()[0]}")
        else:
            return user
    pytest.skip(f"no PostgreSQL that lets in postgres or root at {SERVER} ({'; '.join(refusals)})")
