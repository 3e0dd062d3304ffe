"""The audit trail: append-only, hash-chained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from tasks.clients.database import Database, lock_for_transaction
from tasks.clients.tables import AuditRow
from tasks.core.errors import Drifted

_LOCK_ID: Final = 0x61756474  # "audt": a PostgreSQL advisory lock of ours
_GENESIS: Final = "0" * 64
_VERIFY_BATCH: Final = 1000  # rows in memory at a time


class AuditTrail:
    """
    Who did what, with what evidence. Each entry holds the digest of the one before.

    Evidence is ids, digests, times and counts; never key material. It is JSON; a datetime becomes ISO 8601 in UTC.
    Entries are numbered from 1 without gaps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, actor: str, action: str, subject: str, evidence: Mapping[str, Any], at: datetime) -> str:
        """Add one entry and give its SHA-256."""
        with self._database.transaction() as session:
            lock_for_transaction(session, _LOCK_ID)
            return _append(session, actor, action, subject, evidence, at)

    def append_once(self, actor: str, action: str, subject: str, evidence: Mapping[str, Any], at: datetime) -> str:
        """As `append`, unless *action* on *subject* is on the trail already: then give that entry's SHA-256."""
        said = select(AuditRow.sha256).where(AuditRow.subject == subject, AuditRow.action == action)
        with self._database.transaction() as session:
            lock_for_transaction(session, _LOCK_ID)
            there = session.scalars(said.order_by(AuditRow.seq).limit(1)).first()
            return there or _append(session, actor, action, subject, evidence, at)

    def entries(self, subject: str | None = None) -> tuple[dict[str, Any], ...]:
        """Give the trail, oldest first, or the part about one subject."""
        wanted = select(AuditRow).order_by(AuditRow.seq)
        if subject is not None:
            wanted = wanted.where(AuditRow.subject == subject)
        with self._database.reading() as session:
            return tuple(_entry(row) for row in session.scalars(wanted))

    def verify(self) -> int:
        """
        Recompute the chain and give the number of entries.

        A trail cut off at its end is a valid shorter trail: to notice, compare with a count, or a head's
        SHA-256, that was kept elsewhere.

        Raises:
            Drifted: Code ``audit-broken``: an entry was edited, removed or reordered; the message gives its seq.
        """
        seq, head = 0, _GENESIS
        with self._database.reading() as session:
            trail = select(AuditRow).order_by(AuditRow.seq).execution_options(yield_per=_VERIFY_BATCH)
            for seq, row in enumerate(session.scalars(trail), start=1):
                if (row.seq, row.prev_sha256, row.sha256) != (seq, head, _digest(row)):
                    raise _broken(seq, head, row)
                head = row.sha256
        return seq


def _append(session: Session, actor: str, action: str, subject: str, evidence: Mapping[str, Any], at: datetime) -> str:
    last = session.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).first()
    row = AuditRow(
        seq=last.seq + 1 if last else 1,
        at=at,
        actor=actor,
        action=action,
        subject=subject,
        evidence=json.loads(_canonical(evidence)),  # as it will be read back: a tuple is a list
        prev_sha256=last.sha256 if last else _GENESIS,
    )
    row.sha256 = _digest(row)
    session.add(row)
    return row.sha256


def _digest(row: AuditRow) -> str:
    rest = {
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "evidence": row.evidence,
    }
    return hashlib.sha256((row.prev_sha256 + _canonical(rest)).encode()).hexdigest()


def _canonical(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_as_utc)


def _as_utc(value: object) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError(f"evidence of type {type(value).__name__}")
    return value.astimezone(UTC).isoformat()


def _entry(row: AuditRow) -> dict[str, Any]:
    return {
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "evidence": row.evidence,
        "prev_sha256": row.prev_sha256,
        "sha256": row.sha256,
    }


def _broken(seq: int, head: str, row: AuditRow) -> Drifted:
    if row.seq != seq:
        got, wanted = f"entry {row.seq} in its place", "no gap"
    elif row.prev_sha256 != head:
        got, wanted = f"a link to {row.prev_sha256[:16]}", f"a link to {head[:16]}, the entry before"
    else:
        got, wanted = "a text that its digest does not fit", "the text as it was written"
    return Drifted(
        f"audit entry {seq}",
        got=got,
        wanted=wanted,
        do="Keep a copy of the database, and compare with a backup: somebody has changed the trail.",
        code="audit-broken",
    )
