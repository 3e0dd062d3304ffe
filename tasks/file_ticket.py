"""File a ticket on the desk, and write on it. Plain functions: the front desk calls them for customers."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import current
from tasks.core import policy
from tasks.core.errors import BadInput, KeyInTicket
from tasks.core.matching import DESK, find_named_subject
from tasks.core.model import Ticket, parse_id
from tasks.core.ticket_text import KeyMaterial, find_key_material, find_subject, redact

SUBJECT_MAX_CHARS = 200  # the column's width

_SHRED_IT = (
    "Your message held private key material. It was not stored, but the key has left your hands and counts as "
    "compromised: make a new key, have the certificate issued again for it, revoke the old one, and open a new "
    "hand-over. certferry never needs a key in a ticket: `certferry push` seals it on your machine."
)


def file_ticket(ticket_id: str, sender: str, subject: str, body: str, drop_id: str | None, now: datetime) -> Ticket:
    """
    File a ticket from an authenticated *sender*.

    Key material is taken out before the desk sees any; the ticket is kept as ``refused``, so that the
    hand-over it speaks of is stopped, and the customer reads on it what to do.

    Repeat: The same *ticket_id* gives the ticket that is there.

    Args:
        sender: The authenticated address, not what a From line says.

        drop_id: The drop it speaks of; None takes the first drop id that its text quotes.

    Raises:
        BadInput: Empty, or too long.

        KeyInTicket: It held key material; raised after all of the above is on record.
    """
    here = current()
    parse_id(ticket_id, "ticket")
    subject = " ".join(subject.split())
    text = f"{subject}\n{body}"
    _check_length(subject, body)
    found = find_key_material(text)
    ticket = here.tickets.file(
        ticket_id,
        sender.lower(),
        redact(subject)[:SUBJECT_MAX_CHARS] if found else subject,
        redact(body) if found else body,
        drop_id or find_subject(text),
        now,
        refused=found is not None,
    )
    here.audit.append_once(sender.lower(), "ticket.filed", ticket.id, {"drop": ticket.drop_id}, now)
    if found:
        _refuse(ticket, sender.lower(), found, now)
    return ticket


def add_message(ticket_id: str, sender: str, body: str, message_id: str, now: datetime) -> Ticket:
    """
    Add a message of an authenticated *sender* to a ticket of theirs.

    Repeat: The same *message_id* adds nothing.

    Raises:
        BadInput: Empty, or too long.

        KeyInTicket: It held key material; none was stored, and the key is on record as compromised.

        NotFound: There is no such ticket.
    """
    here = current()
    _check_length("-", body)
    found = find_key_material(body)
    here.tickets.say(ticket_id, sender.lower(), redact(body) if found else body, message_id, now)
    ticket = here.tickets.fetch(ticket_id)
    if found:
        _refuse(ticket, sender.lower(), found, now)
    return ticket


def _check_length(subject: str, body: str) -> None:
    if not subject or not body.strip() or len(subject) > SUBJECT_MAX_CHARS or len(body) > policy.TICKET_MAX_CHARS:
        raise BadInput(
            "ticket",
            got=f"a subject of {len(subject)} and a text of {len(body)} characters",
            wanted=f"1 to {SUBJECT_MAX_CHARS} and 1 to {policy.TICKET_MAX_CHARS}",
            do="Say in a few words what is wanted, and quote the drop.",
        )


def _refuse(ticket: Ticket, sender: str, found: KeyMaterial, now: datetime) -> None:
    """Put the key on record as compromised, tell the customer on the ticket, and raise."""
    here = current()
    for spki_sha256 in {found.spki_sha256, _find_key_of(ticket, sender)} - {None}:
        here.certificates.mark_compromised(str(spki_sha256), f"seen in ticket {ticket.id}", now)
    here.tickets.say(ticket.id, DESK, _SHRED_IT, f"key-in-ticket-{ticket.id}", now)
    here.audit.append_once(DESK, "ticket.refused", ticket.id, {"spki_sha256": found.spki_sha256}, now)
    raise KeyInTicket(
        f"ticket {ticket.id}",
        got="it held private key material, which was not stored",
        wanted="a ticket without any key material",
        do="The key counts as compromised: make a new one, have the certificate issued again, revoke the old one.",
    )


def _find_key_of(ticket: Ticket, sender: str) -> str | None:
    """
    Give the public key of the certificate that the ticket asks for, or None.

    An encrypted key cannot be told from any other, so the one spoken of counts as given away; but only to the word of
    the account itself, or a stranger could stop a hand-over by quoting it.
    """
    here = current()
    drop_id = find_named_subject(ticket)
    certificate = here.certificates.find_by_drop(drop_id) if drop_id else None
    if certificate is None or here.accounts.fetch_account(certificate.account).contact != sender:
        return None
    return certificate.spki_sha256
