"""What certferry says on a customer's ticket while their hand-over goes on."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation
from tasks.core.matching import DESK, find_named_subject
from tasks.core.model import Drop, Removal


def answer_ticket(here: Installation, drop_id: str, body: str, idempotency_key: str, now: datetime) -> None:
    """Say *body* on the ticket that asks for the drop; where none does yet, nobody is told. Once a key."""
    ticket = here.decisions.find_match(drop_id)
    if ticket:
        here.tickets.say(ticket, DESK, body, idempotency_key, now)


def list_tickets(here: Installation, subject: Drop | Removal) -> list[str]:
    """Give the ticket on record for *subject*, and the account's own that wait for it."""
    matched = here.decisions.find_match(subject.id)
    contact = here.accounts.fetch_account(subject.account).contact
    waiting = (
        ticket.id
        for ticket in here.tickets.list_waiting()
        if ticket.sender == contact and find_named_subject(ticket) == subject.id
    )
    return list(dict.fromkeys([*([matched] if matched else []), *waiting]))
