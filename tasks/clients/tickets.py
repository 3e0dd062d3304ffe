"""The ticket desk."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from tasks.core.model import Ticket


class TicketDesk(Protocol):
    """
    Where customers ask and are answered.

    The sender of a ticket is an authenticated address: the embedded desk takes it from the account behind the
    token; a real desk must take it from its DMARC result, never from the From text.
    """

    def file(
        self,
        ticket_id: str,
        sender: str,
        subject: str,
        body: str,
        drop_id: str | None,
        at: datetime,
        refused: bool = False,
    ) -> Ticket:
        """
        Open a ticket; the same *ticket_id* again gives the ticket that is there.

        The caller has taken any key material out of *subject* and *body* and then says *refused*: a desk never
        stores any, but keeps the ticket, so that the hand-over it speaks of is stopped.
        """

    def fetch(self, ticket_id: str) -> Ticket:
        """
        Give a ticket with its messages, oldest first.

        Raises:
            NotFound: There is none.
        """

    def list_waiting(self) -> tuple[Ticket, ...]:
        """Give the tickets that are ``open`` or ``refused``, oldest first."""

    def list_of(self, sender: str) -> tuple[Ticket, ...]:
        """Give all tickets of one sender, newest first."""

    def say(self, ticket_id: str, author: str, body: str, idempotency_key: str, at: datetime) -> None:
        """Add a message; the same *idempotency_key* again adds nothing."""

    def close(self, ticket_id: str, at: datetime) -> None:
        """Close a ticket; safe to repeat."""
