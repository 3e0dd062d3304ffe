"""The records of decisions: which ticket asked for what, and who approved which plan for it. First one wins."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import ApprovalRow, TicketMatchRow
from tasks.core.errors import TicketRefused
from tasks.core.model import Approval


class Decisions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def match(self, subject: str, ticket_id: str, matched_by: str, at: datetime) -> str:
        """
        Record that *ticket_id* asks for *subject*, and give the ticket that is on record for it.

        Raises:
            TicketRefused: The ticket already asks for something else.
        """
        with self._database.transaction() as session:
            insert_once(session, TicketMatchRow, subject=subject, ticket_id=ticket_id, matched_by=matched_by, at=at)
            row = session.get(TicketMatchRow, subject)
            if row is None:
                raise TicketRefused(
                    ticket_id,
                    got="a ticket that asked for something else already",
                    wanted=f"a ticket for {subject} alone",
                    do=f"File a new ticket that quotes {subject}.",
                )
            return row.ticket_id

    def find_match(self, subject: str) -> str | None:
        """Give the ticket that asked for the subject, or None."""
        with self._database.reading() as session:
            row = session.get(TicketMatchRow, subject)
            return row.ticket_id if row else None

    def decide(self, approval: Approval) -> Approval:
        """Record a decision on a plan, and give the one that is on record for it."""
        with self._database.transaction() as session:
            insert_once(
                session,
                ApprovalRow,
                subject=approval.subject,
                plan_sha256=approval.plan_sha256,
                decision=approval.decision,
                approver=approval.approver,
                note=approval.note,
                at=approval.at,
            )
            return _approval(session.get_one(ApprovalRow, (approval.subject, approval.plan_sha256)))

    def find(self, subject: str, plan_sha256: str) -> Approval | None:
        """Give the decision on the plan, or None."""
        with self._database.reading() as session:
            row = session.get(ApprovalRow, (subject, plan_sha256))
            return _approval(row) if row else None


def _approval(row: ApprovalRow) -> Approval:
    return Approval(row.subject, row.plan_sha256, row.decision, row.approver, row.note, row.at)
