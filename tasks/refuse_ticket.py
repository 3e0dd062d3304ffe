"""Answer a ticket that counts for nothing."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import TicketsUnavailable
from tasks.core.matching import DESK
from tasks.retries import step


@step(TicketsUnavailable, "refuse the ticket")
def refuse_ticket(ticket_id: str, reason: str) -> None:
    """
    Say on the ticket why it asks for nothing, and close it, so that it is not looked at for ever.

    Repeat: One answer a ticket.

    Undo: The sender files another.

    Args:
        reason: For the sender, who may be a stranger: nothing about the account.
    """
    here = current()
    now = here.now()
    here.tickets.say(ticket_id, DESK, reason, f"refused-{ticket_id}", now)
    here.audit.append_once(DESK, "ticket.refused", ticket_id, {"reason": reason}, now)
    here.tickets.close(ticket_id, now)
