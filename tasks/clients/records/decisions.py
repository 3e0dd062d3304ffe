"""The records of decisions: which ticket asked for which drop, and who approved which plan. First one wins."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.database import Database, insert_once
from tasks.clients.tables import ApprovalRow, TicketMatchRow
from tasks.core.errors import TicketRefused
from tasks.core.model import Approval


class Decisions:
    def __init__(self, database: Database) -> None:
        self._database = database

    def match(self, drop_id: str, ticket_id: str, matched_by: str, at: datetime) -> str:
        """
        Record that *ticket_id* asks for *drop_id*, and give the ticket that is on record for it.

        Raises:
            TicketRefused: The ticket already asks for another drop.
        """
        with self._database.transaction() as session:
            insert_once(session, TicketMatchRow, drop_id=drop_id, ticket_id=ticket_id, matched_by=matched_by, at=at)
            row = session.get(TicketMatchRow, drop_id)
            if row is None:
                raise TicketRefused(
                    ticket_id,
                    got="a ticket that asked for another drop already",
                    wanted=f"a ticket for {drop_id} alone",
                    do="File a new ticket for this drop.",
                )
            return row.ticket_id

    def find_match(self, drop_id: str) -> str | None:
        """Give the ticket that asked for the drop, or None."""
        with self._database.reading() as session:
            row = session.get(TicketMatchRow, drop_id)
            return row.ticket_id if row else None

    def decide(self, approval: Approval) -> Approval:
        """Record a decision on a plan, and give the one that is on record for it."""
        with self._database.transaction() as session:
            insert_once(
                session,
                ApprovalRow,
                drop_id=approval.drop_id,
                plan_sha256=approval.plan_sha256,
                decision=approval.decision,
                approver=approval.approver,
                note=approval.note,
                at=approval.at,
            )
            return _approval(session.get_one(ApprovalRow, (approval.drop_id, approval.plan_sha256)))

    def find(self, drop_id: str, plan_sha256: str) -> Approval | None:
        """Give the decision on the plan, or None."""
        with self._database.reading() as session:
            row = session.get(ApprovalRow, (drop_id, plan_sha256))
            return _approval(row) if row else None


def _approval(row: ApprovalRow) -> Approval:
    return Approval(row.drop_id, row.plan_sha256, row.decision, row.approver, row.note, row.at)
