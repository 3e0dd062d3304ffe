"""Send the letters that are on record, each by each of its channels."""

from __future__ import annotations

from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.clients.records.letters import Delivered, Delivery, PostedLetter
from tasks.clients.settings import DESK_CHANNEL
from tasks.core import policy
from tasks.core.errors import BadInput, Drifted, MessengerUnavailable
from tasks.core.expiry import Audience
from tasks.retries import step


@step(MessengerUnavailable, "list the letters to send")
def list_deliveries(letter_id: str, channel: str) -> tuple[tuple[str, str], ...]:
    """
    Give letter and channel of the next letters on their way, after the one given; two empty words begin.

    Repeat: Reads only.

    Undo: None is needed.
    """
    return current().letters.list_open((letter_id, channel), policy.ACCOUNTS_AT_ONCE)


@step(MessengerUnavailable, "send a letter")
def deliver_letter(letter_id: str, channel: str) -> None:
    """
    Send a letter by one channel.

    Repeat: The ticket desk takes a letter once. Any other channel is asked once, and again only if it said that it
        failed, three times at most: after a kill in the middle nobody knows, and a letter is lost rather than doubled.

    Undo: None: it was read.

    Raises:
        MessengerUnavailable: The channel said that it failed.

        BadInput: Code ``no-channel``: the settings do not know it any more; it is given up.

        Drifted: Code ``letter-unsure``: a process died while it was sending; it is given up.
    """
    here = current()
    now = here.now()
    delivery, letter = here.letters.fetch_delivery(letter_id, channel), here.letters.fetch(letter_id)
    if delivery.outcome is not None:
        return
    if letter.account and channel == DESK_CHANNEL:
        contact = here.accounts.fetch_account(letter.account).contact
        here.tickets.write(ticket_of(letter_id), contact, letter.subject, letter.body, letter.created_at)
        here.letters.end(letter_id, channel, Delivered.SENT, now)
    elif here.letters.claim(letter_id, channel, now):
        _send(here, letter, channel, delivery.tries + 1)
    elif delivery.claimed_at and now - delivery.claimed_at > policy.LETTER_UNSURE:
        here.letters.end(letter_id, channel, Delivered.UNSURE, now)
        raise _unsure(letter, delivery, delivery.claimed_at)


def ticket_of(letter_id: str) -> str:
    """Give the id of the ticket that a letter stands on."""
    return f"ticket-{letter_id.removeprefix('letter-')}"


def _send(here: Installation, letter: PostedLetter, channel: str, tries: int) -> None:
    contact = here.accounts.fetch_account(letter.account).contact if letter.account else ""
    try:
        here.messenger.send(letter.audience, channel, contact, letter.subject, letter.body)
    except MessengerUnavailable:
        if tries < policy.LETTER_TRIES:
            here.letters.give_back(letter.id, channel)
        else:
            here.letters.end(letter.id, channel, Delivered.FAILED, here.now())
        raise
    except BadInput:
        here.letters.end(letter.id, channel, Delivered.FAILED, here.now())
        raise
    here.letters.end(letter.id, channel, Delivered.SENT, here.now())


def _unsure(letter: PostedLetter, delivery: Delivery, claimed_at: datetime) -> Drifted:
    whom = letter.account if letter.audience is Audience.CUSTOMER else "the operators"
    return Drifted(
        f"letter {letter.id} to {whom} by {delivery.channel}",
        got=f"the process that began to send it at {claimed_at:%Y-%m-%d %H:%M} UTC did not say how that ended",
        wanted="a letter that is sent once",
        do="Nothing, if it has arrived; it is not sent again. A customer has it as a ticket all the same.",
        code="letter-unsure",
    )
