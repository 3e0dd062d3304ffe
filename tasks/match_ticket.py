"""Step 3: find the ticket that asks for a hand-over, and record it."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.clients.subjects import fetch_subject
from tasks.core.errors import KeyInTicket, TicketsUnavailable
from tasks.core.hand_over import check_live
from tasks.core.matching import (
    DESK,
    check_names_subject,
    check_no_key,
    check_sender,
    customer_text,
    find_named_subject,
)
from tasks.core.model import Certificate, Drop, Removal, Ticket
from tasks.core.ticket_text import find_key_material
from tasks.retries import step


@step(TicketsUnavailable, "(3) match the ticket")
def match_ticket(drop_id: str, ticket_id: str, by: str) -> str:
    """
    Judge a ticket from what the desk has, record that it asks for the drop, and give the ticket on record.

    A stranger's ticket stops nothing, unless it gives away this very certificate's key.

    Repeat: The first match stays and is given; another ticket is judged all the same, for it may give the key away.

    Undo: None: the request was made, and is answered when the hand-over ends.

    Args:
        by: Who found it: ``watch-tickets``, ``provision`` or an operator's name. For the record only.

    Raises:
        TicketRefused: Code ``foreign-sender`` or ``other-drop``, or it asks for another drop already.

        KeyInTicket: Key material was in it; the key is on record as compromised.

        NotFound: There is no such drop or ticket.

        HandOverClosed: The hand-over has ended.
    """
    here = current()
    now = here.now()
    drop = fetch_subject(here, drop_id)
    matched = here.decisions.find_match(drop_id)
    if matched != ticket_id:
        _check_ticket(here, drop, ticket_id, now)
        matched = matched or here.decisions.match(drop_id, ticket_id, by, now)
    here.audit.append_once(by, "ticket.matched", drop_id, {"ticket": matched}, now)
    here.tickets.say(
        matched,
        DESK,
        f"Your request is matched with {_name(drop)} ({drop.id}). An operator will look at it.",
        f"matched-{drop.id}",
        now,
    )
    return matched


def _check_ticket(here: Installation, drop: Drop | Removal, ticket_id: str, now: datetime) -> None:
    ticket = here.tickets.fetch(ticket_id)
    check_names_subject(ticket, drop)
    _check_key_and_sender(here, drop, ticket, now)
    check_live(drop)


def find_match(drop_id: str) -> str | None:
    """Give the ticket on record for the drop, or None."""
    return current().decisions.find_match(drop_id)


def list_waiting(drop_id: str | None = None) -> tuple[tuple[str, str], ...]:
    """
    Give (ticket id, drop id) of every waiting ticket that speaks of a drop, or of this drop; oldest first.

    A ticket for a drop whose certificate has not come in yet is left out: it is early, and waits.
    """
    here = current()
    named = ((ticket.id, find_named_subject(ticket)) for ticket in here.tickets.list_waiting())
    wanted = ((ticket, drop) for ticket, drop in named if drop and drop_id in (None, drop))
    return tuple((ticket, drop) for ticket, drop in wanted if drop_id or not _is_early(here, drop))


def _is_early(here: Installation, drop_id: str) -> bool:
    live = {drop.id for drop in here.drops.list_live() if drop.outcome is None}
    return drop_id in live and here.certificates.find_by_drop(drop_id) is None


def _name(subject: Drop | Removal) -> str:
    what = "the hand-over of" if isinstance(subject, Drop) else "the wish to disable HTTPS for"
    return f"{what} {subject.hostname}"


def _check_key_and_sender(here: Installation, drop: Drop | Removal, ticket: Ticket, now: datetime) -> None:
    certificate = here.certificates.find_by_drop(drop.id)
    found = find_key_material(customer_text(ticket))
    if found and found.spki_sha256:
        here.certificates.mark_compromised(found.spki_sha256, f"seen in ticket {ticket.id}", now)
    compromised = certificate is not None and here.certificates.is_compromised(certificate.spki_sha256)
    contact = here.accounts.fetch_account(drop.account).contact
    if not compromised:
        check_sender(ticket, contact)
    try:
        check_no_key(ticket, drop, certificate, compromised)
    except KeyInTicket:
        _mark_key(here, certificate, ticket, now)
        raise


def _mark_key(here: Installation, certificate: Certificate | None, ticket: Ticket, now: datetime) -> None:
    if certificate:
        here.certificates.mark_compromised(certificate.spki_sha256, f"key material in ticket {ticket.id}", now)
        here.audit.append_once(
            DESK, "key.compromised", certificate.drop_id, {"spki_sha256": certificate.spki_sha256}, now
        )
