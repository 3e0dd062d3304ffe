"""Write the letters about certificates near their end: to each customer, and to the operators. None is sent here."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.clients.records.letters import Notice, PostedLetter
from tasks.clients.settings import DESK_CHANNEL
from tasks.core import policy
from tasks.core.errors import RecordsUnavailable
from tasks.core.expiry import Audience
from tasks.core.expiry_letter import (
    Desk,
    Ending,
    Letter,
    Renewal,
    concerns,
    write_to_customer,
    write_to_operators,
)
from tasks.core.hand_over import HandOver
from tasks.core.model import make_id
from tasks.describe_hand_over import describe
from tasks.retries import step


@step(RecordsUnavailable, "list the customers to write to")
def list_accounts_due(after: str) -> tuple[str, ...]:
    """
    Give the next accounts, by name, that are to be told of a certificate.

    Repeat: Reads only.

    Undo: None is needed.
    """
    return current().letters.list_accounts_due(after, policy.ACCOUNTS_AT_ONCE)


@step(RecordsUnavailable, "list the renewals to open")
def list_renewals_due(account: str) -> tuple[str, ...]:
    """
    Give the account's hostnames whose certificates are to be told of, and for which no renewal is open.

    Repeat: Reads only.

    Undo: None is needed.
    """
    here = current()
    now = here.now()
    _, endings, _ = _look(here, here.letters.list_due(Audience.CUSTOMER, account), now)
    return tuple(ending.hostname for ending in endings if ending.renewal is None)


@step(RecordsUnavailable, "write to a customer")
def write_letter(account: str) -> None:
    """
    Write one letter about all of the account's certificates that are to be told of; `deliver_letter` sends it.

    Repeat: What stands in a letter is not written again; where there is nothing else, there is no letter.

    Undo: None: a letter is sent, or not, and stays on record.
    """
    here = current()
    now = here.now()
    notices, endings, stale = _look(here, here.letters.list_due(Audience.CUSTOMER, account), now)
    here.letters.withdraw(stale)
    if endings:
        listed, rest = endings[: policy.MOST_IN_A_LETTER], endings[policy.MOST_IN_A_LETTER :]
        letter = write_to_customer(account, listed, len(rest), _desk(here), now)
        _post(here, Audience.CUSTOMER, account, letter, notices, now)


@step(RecordsUnavailable, "write to the operators")
def write_operators_letter() -> None:
    """
    Write one letter about all certificates that the operators are to be told of; `deliver_letter` sends it.

    Repeat: What stands in a letter is not written again; where there is nothing else, there is no letter.

    Undo: None: a letter is sent, or not, and stays on record.
    """
    here = current()
    now = here.now()
    notices, endings, stale = _look(here, here.letters.list_due(Audience.OPERATORS), now)
    here.letters.withdraw(stale)
    if endings:
        listed, rest = endings[: policy.MOST_IN_A_LETTER], endings[policy.MOST_IN_A_LETTER :]
        letter = write_to_operators(listed, len(rest), _desk(here), now)
        _post(here, Audience.OPERATORS, None, letter, notices, now)


def _look(here: Installation, due: Sequence[Notice], now: datetime) -> tuple[list[Notice], list[Ending], list[Notice]]:
    """Give what is to be told of still, as notices and as a letter names them, and what is not."""
    told, endings, stale = [], [], []
    for notice in due:
        ending = _find_ending(here, notice, now)
        if ending is None:
            stale.append(notice)
        else:
            told.append(notice)
            endings.append(ending)
    return told, endings, stale


def _find_ending(here: Installation, notice: Notice, now: datetime) -> Ending | None:
    """Give what a letter says of a certificate, or None: it is replaced, on another rung, or others must act first."""
    served = here.served.find_served(notice.certificate_id)
    if served is None:
        return None
    rung = here.settings.expiry.ladder.find_rung(served.not_before, served.not_after, now)
    drop = here.drops.find_renewal(served.hostname, now)
    hand_over = describe(drop) if drop else None
    if rung is not notice.rung or not concerns(notice.audience, rung, hand_over):
        return None
    certificate = here.certificates.fetch(served.certificate_id)
    return Ending(
        certificate_id=served.certificate_id,
        account=served.account,
        hostname=served.hostname,
        app=here.drops.fetch(certificate.drop_id).app,
        not_after=served.not_after,
        rung=rung,
        renewal=_renewal(hand_over) if hand_over else None,
    )


def _renewal(hand_over: HandOver) -> Renewal:
    return Renewal(hand_over.drop.name, hand_over.drop.expires_at, hand_over.stage)


def _desk(here: Installation) -> Desk:
    notices = here.settings.notices
    return Desk(here.settings.platform.name, notices.zone, frozenset(notices.holidays))


def _post(
    here: Installation,
    audience: Audience,
    account: str | None,
    letter: Letter,
    notices: Sequence[Notice],
    now: datetime,
) -> None:
    letter_id = make_id("letter", os.urandom(policy.DROP_ID_BYTES))
    written = PostedLetter(letter_id, audience, account, letter.subject, letter.body, now)
    configured = here.settings.notices.customers if account else here.settings.notices.operators
    channels = [*([DESK_CHANNEL] if account else []), *configured]
    if here.letters.post(written, channels, notices):
        evidence = {"letter": letter_id, "rungs": sorted({notice.rung for notice in notices}), "number": len(notices)}
        here.audit.append("certferry", "letter.written", account or audience, evidence, now)
