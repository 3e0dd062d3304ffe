"""What a customer does with tickets. Key material is refused before it leaves the machine."""

from __future__ import annotations

import os
from typing import Any

from tasks.core.errors import KeyInTicket, Who
from tasks.core.model import parse_id, parse_name
from tasks.core.ticket_text import find_key_material
from tasks.customer.session import Session


def file_ticket(session: Session, name: str, subject: str | None, message: str | None) -> dict[str, Any]:
    """
    File the ticket that asks for a hand-over, in words of our own where the customer gives none.

    Raises:
        KeyInTicket: There is key material in the text; nothing was sent.

        NotFound: The account has no hand-over *name*.
    """
    check_no_key(f"{subject or ''}\n{message or ''}")
    desk = session.front_desk()
    hand_over = desk.fetch_drop(parse_name(name, "hand-over"))
    subject = subject or f"HTTPS for {hand_over['hostname']}"
    message = message or f"Please set up HTTPS for {hand_over['hostname']}. The files are in {hand_over['id']}."
    return desk.file_ticket(subject, message, name, os.urandom(16).hex())


def say(session: Session, ticket_id: str, message: str) -> dict[str, Any]:
    """
    Write on a ticket.

    Raises:
        KeyInTicket: There is key material in *message*; nothing was sent.
    """
    check_no_key(message)
    return session.front_desk().say(parse_id(ticket_id, "ticket"), message, os.urandom(16).hex())


def fetch_ticket(session: Session, ticket_id: str) -> dict[str, Any]:
    """Read a ticket."""
    return session.front_desk().fetch_ticket(parse_id(ticket_id, "ticket"))


def check_no_key(text: str) -> None:
    """
    Raise if *text* has key material in it.

    Raises:
        KeyInTicket: It has.
    """
    if find_key_material(text):
        raise KeyInTicket(
            "the ticket",
            got="private key material in the text; nothing was sent",
            wanted="words only: nobody ever needs your key in a ticket",
            do="Take it out, and send the files with `certferry push`. If the key was typed into a shell, "
            "its history has it: make a new one.",
            who=Who.CUSTOMER,
        )
