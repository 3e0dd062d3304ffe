"""The end of a hand-over: its outcome on record, the vault copy gone unless it serves, the ticket answered."""

from __future__ import annotations

from tasks.clients.answers import list_tickets
from tasks.clients.installation import Installation, current
from tasks.core.errors import RecordsUnavailable
from tasks.core.matching import DESK
from tasks.core.model import Drop, Outcome
from tasks.retries import step


@step(RecordsUnavailable, "close the hand-over")
def close_hand_over(drop_id: str, outcome: Outcome, code: str | None = None, reason: str | None = None) -> Outcome:
    """
    Record how the hand-over ended, shred the vault copy unless it completed, answer and close its tickets.

    Repeat: The first outcome and reason stay, and are given; the rest is made true again.

    Undo: None. The customer opens another drop.

    Args:
        code: Of the refusal; None where there is none.

        reason: For the customer, in words; None where there is none.
    """
    here = current()
    now = here.now()
    drop = here.drops.close(drop_id, outcome, code, reason)
    ended = drop.outcome or outcome
    if ended is not Outcome.COMPLETED:
        _shred_vault(here, drop)
    for ticket_id in list_tickets(here, drop):
        here.tickets.say(ticket_id, DESK, _farewell(drop, ended), f"closed-{drop.id}", now)
        here.tickets.close(ticket_id, now)
    here.audit.append_once("certferry", "hand-over.closed", drop.id, {"outcome": ended, "code": drop.outcome_code}, now)
    return ended


def _shred_vault(here: Installation, drop: Drop) -> None:
    certificate = here.certificates.find_by_drop(drop.id)
    if certificate:
        here.certificates.shred(certificate.id)
        here.vault.delete(certificate.vault_key)


def _farewell(drop: Drop, outcome: Outcome) -> str:
    if outcome is Outcome.COMPLETED:
        return f"Done: {drop.hostname} is set up, and this ticket is closed."
    why = f" {drop.outcome_reason}" if drop.outcome_reason else ""
    return f"The hand-over of {drop.hostname} ({drop.id}) is {outcome}, and its drop destroyed.{why}"
