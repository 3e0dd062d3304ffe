"""The audit trail: append-only, hash-chained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tasks.clients.database import Database


class AuditTrail:
    """
    Who did what, with what evidence. Each entry holds the digest of the one before.

    Evidence is ids, digests, times and counts; never key material.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, actor: str, action: str, subject: str, evidence: Mapping[str, Any], at: datetime) -> str:
        """Add one entry and give its SHA-256."""
        raise NotImplementedError

    def append_once(self, actor: str, action: str, subject: str, evidence: Mapping[str, Any], at: datetime) -> str:
        """As `append`, unless *action* on *subject* is on the trail already: then give that entry's SHA-256."""
        raise NotImplementedError

    def entries(self, subject: str | None = None) -> tuple[dict[str, Any], ...]:
        """Give the trail, oldest first, or the part about one subject."""
        raise NotImplementedError

    def verify(self) -> int:
        """
        Recompute the chain and give the number of entries.

        Raises:
            Drifted: Code ``audit-broken``: an entry was edited, removed or reordered; the message gives its seq.
        """
        raise NotImplementedError
