"""The records of decisions: which ticket asked for which drop, and who approved which plan. First one wins."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.database import Database
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
        raise NotImplementedError

    def find_match(self, drop_id: str) -> str | None:
        raise NotImplementedError

    def decide(self, approval: Approval) -> Approval:
        """Record a decision on a plan, and give the one that is on record for it."""
        raise NotImplementedError

    def find(self, drop_id: str, plan_sha256: str) -> Approval | None:
        raise NotImplementedError
