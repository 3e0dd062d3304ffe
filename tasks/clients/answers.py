"""What certferry says on a customer's ticket while their hand-over goes on."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation
from tasks.core.matching import DESK


def answer_ticket(here: Installation, drop_id: str, body: str, idempotency_key: str, now: datetime) -> None:
    """Say *body* on the ticket that asks for the drop; where none does yet, nobody is told. Once a key."""
    ticket = here.decisions.find_match(drop_id)
    if ticket:
        here.tickets.say(ticket, DESK, body, idempotency_key, now)
