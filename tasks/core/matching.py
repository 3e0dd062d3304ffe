"""The rules of step 3: which ticket counts for which drop."""

from __future__ import annotations

from tasks.core.errors import KeyInTicket, TicketRefused
from tasks.core.model import Certificate, Drop, Removal, Ticket
from tasks.core.ticket_text import find_key_material, find_subject

DESK = "certferry"
"""The author of what certferry itself says on a ticket."""


def find_named_subject(ticket: Ticket) -> str | None:
    """Give the drop or removal a ticket speaks of: the one in its field, else the first its sender quotes."""
    return ticket.drop_id or find_subject(customer_text(ticket))


def customer_text(ticket: Ticket) -> str:
    """Give all that people wrote on the ticket, without what certferry answered."""
    return "\n".join((ticket.subject, *(message.body for message in ticket.messages if message.author != DESK)))


def check_sender(ticket: Ticket, contact: str) -> None:
    """
    Raise unless the ticket comes from *contact*, the account's address, character for character.

    No ``+tag``, no other domain, no look-alike letter: only the case of ASCII letters makes no difference,
    and both addresses have been lower-cased where they came in.

    Raises:
        TicketRefused: Code ``foreign-sender``. The account's address is not told.
    """
    if not ticket.sender.isascii() or ticket.sender.lower() != contact.lower():
        raise TicketRefused(
            f"ticket {ticket.id}",
            got="it was not sent from the address on the account",
            wanted="a ticket from the account's own address",
            do="File it from the address on the account.",
            code="foreign-sender",
        )


def check_names_subject(ticket: Ticket, subject: Drop | Removal) -> None:
    """
    Raise unless the ticket speaks of this drop, or this removal.

    Raises:
        TicketRefused: Code ``other-drop``.
    """
    if find_named_subject(ticket) != subject.id:
        raise TicketRefused(
            f"ticket {ticket.id}",
            got="it does not quote this id",
            wanted=f"a ticket that quotes {subject.id}",
            do="File a ticket that quotes it, or choose the right ticket.",
            code="other-drop",
        )


def check_no_key(ticket: Ticket, drop: Drop | Removal, certificate: Certificate | None, compromised: bool) -> None:
    """
    Raise if private key material is, or was, in a ticket that counts for *drop*.

    Args:
        compromised: The certificate's key is on record as compromised.

    Raises:
        KeyInTicket: The desk took key material out of it, or some is in it, or it gave this certificate's key away.
    """
    if ticket.state == "refused" or compromised or find_key_material(customer_text(ticket)):
        key = f" (public key SHA-256 {certificate.spki_sha256})" if certificate else ""
        raise KeyInTicket(
            f"ticket {ticket.id}",
            got=f"private key material was written into it, so the key of {drop.hostname}{key} counts as compromised",
            wanted="a ticket without any key material",
            do="Make a new key, have the certificate reissued for it, revoke the old one, and open a new hand-over.",
        )
