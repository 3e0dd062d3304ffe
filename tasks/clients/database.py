"""The database of records: SQLAlchemy engine, pragmas, migrations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session


class Database:
    """SQLite (WAL, synchronous=FULL, secure_delete=ON, foreign keys) or PostgreSQL, by URL."""

    def __init__(self, url: str) -> None:
        raise NotImplementedError

    def migrate(self) -> None:
        """Bring the schema to the newest revision (alembic upgrade head); safe to repeat."""

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """
        Open one transaction: committed at the end of the block, rolled back by an exception.

        Raises:
            RecordsUnavailable: The database cannot be reached, or is locked for longer than 30 s.
        """
        raise NotImplementedError
