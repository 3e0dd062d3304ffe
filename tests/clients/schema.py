"""Schemas of before, for the tests of migrations."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData, Table, text

from tasks.clients import database as module
from tasks.clients.database import Database
from tasks.clients.tables import Base


def drop_everything(database: Database) -> None:
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        else:
            Base.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))


def build_schema(database: Database, revision: str) -> None:
    """Make the schema anew, as it was at *revision*."""
    drop_everything(database)
    config = Config()
    config.set_main_option("script_location", str(module._MIGRATIONS))
    with database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def insert_as_was(database: Database, table: str, **values: Any) -> None:
    """Insert those of *values* that the table has a column for, as it is now: today's classes know later columns."""
    with database.engine.begin() as connection:
        found = Table(table, MetaData(), autoload_with=connection)
        connection.execute(found.insert().values({name: values[name] for name in values if name in found.c}))
