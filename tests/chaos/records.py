"""Records for one case after another, each as new: copies of one file, or of one PostgreSQL database."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import psycopg

from tasks.clients.database import Database

SERVER = "127.0.0.1:5432"


class Records(Protocol):
    def renew(self) -> str:
        """Give the URL of migrated records without a row; those given before are gone."""


class Files:
    """SQLite files in *directory*."""

    def __init__(self, directory: Path) -> None:
        self._template, self._records = directory / "template.db", directory / "records.db"
        _migrate(f"sqlite:///{self._template}")

    def renew(self) -> str:
        for left in self._records.parent.glob(f"{self._records.name}*"):
            left.unlink()
        shutil.copy(self._template, self._records)
        return f"sqlite:///{self._records}"


class Databases:
    """Databases of a PostgreSQL on its standard port, under names of our own making."""

    def __init__(self, server: psycopg.Connection, user: str) -> None:
        self._server, self._user = server, user
        self._template = f"certferry_chaos_{secrets.token_hex(6)}"
        self._name = f"{self._template}_records"
        self._server.execute(f"CREATE DATABASE {self._template}".encode())
        _migrate(self._url(self._template))

    def renew(self) -> str:
        self._server.execute(f"DROP DATABASE IF EXISTS {self._name} WITH (FORCE)".encode())
        self._server.execute(f"CREATE DATABASE {self._name} TEMPLATE {self._template}".encode())
        return self._url(self._name)

    def drop(self) -> None:
        for name in (self._name, self._template):
            self._server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())

    def _url(self, name: str) -> str:
        return f"postgresql+psycopg://{self._user}@{SERVER}/{name}"


@contextmanager
def databases(user: str = "postgres") -> Iterator[Databases]:
    """Lend databases of the PostgreSQL that lets *user* in without a password."""
    with psycopg.connect(f"postgresql://{user}@{SERVER}/postgres", autocommit=True) as server:
        lent = Databases(server, user)
        try:
            yield lent
        finally:
            lent.drop()


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()
