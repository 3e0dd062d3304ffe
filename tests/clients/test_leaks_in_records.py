"""The leak scanner looks into the records of either database: text, bytes and JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.clients.database import Database
from tasks.clients.tables import AccountRow, AuditRow, Base
from tests.leaks import Secrets, scan_database

SECRET = os.urandom(32)
NOW = datetime.now(UTC)


def _account(contact: str) -> AccountRow:
    return AccountRow(name="acme", contact=contact, created_at=NOW)


def _audit(evidence: dict[str, Any]) -> AuditRow:
    return AuditRow(seq=1, at=NOW, actor="a", action="b", subject="c", evidence=evidence, prev_sha256="", sha256="")


@pytest.mark.parametrize(
    ("make", "column"),
    [
        (lambda: _account(SECRET.hex()), "accounts.contact"),
        (lambda: _audit({"note": ["inside", {"and": SECRET.hex(":")}]}), "audit.evidence"),
    ],
)
def test_a_secret_in_a_row_is_found(
    database: Database, database_url: str, make: Callable[[], Base], column: str
) -> None:
    """A secret in any column is found, and the column is named."""
    with database.transaction() as session:
        session.add(make())

    hits = scan_database(database_url, Secrets.of_bytes(SECRET, "secret"), "records")

    assert {f"records {column}"} == {hit.where for hit in hits}


def test_empty_records_are_clean(database: Database, database_url: str) -> None:
    """A migrated database without a row gives no hit."""
    assert scan_database(database_url, Secrets.of_bytes(SECRET, "secret")) == []
