"""Record the wish for a drop. A plain function: the front desk and the `open_drop` flow both call it."""

from __future__ import annotations

import os
from datetime import datetime

from tasks.clients.installation import current
from tasks.core import policy
from tasks.core.errors import BadInput, Who
from tasks.core.model import Drop, DropKind, DropState, make_id, parse_hostname, parse_id, parse_name


def request_drop(
    drop_id: str, name: str, account: str, app: str, hostname: str, requested_by: str, now: datetime
) -> Drop:
    """
    Record a REQUESTED drop for a hostname that is this account's and this app's.

    What it is for is decided here, once: a renewal if the hostname has a certificate now, else its set-up.

    Repeat: The same *drop_id* gives the drop that is there.

    Undo: `close_hand_over` and `destroy_drop`.

    Args:
        drop_id: From `make_id`; the caller keeps it, so that asking twice makes one drop.

        requested_by: ``account:<name>``, ``operator:<name>`` or `PLATFORM`; may not approve later.

    Raises:
        BadInput: A name does not parse, or the account has a live drop of this name.

        NotFound: The hostname is not this account's, or not this app's.

        QuotaExceeded: The account has too many live drops.
    """
    here = current()
    site = here.accounts.fetch_site(parse_hostname(hostname), account, parse_name(app, "app"))
    limits = here.settings.drops
    drop = here.drops.create(
        Drop(
            id=parse_id(drop_id, "drop"),
            name=parse_name(name, "hand-over"),
            account=site.account,
            app=site.app,
            hostname=site.hostname,
            state=DropState.REQUESTED,
            requested_by=requested_by,
            created_at=now,
            expires_at=now + limits.lifetime,
            kind=DropKind.RENEWAL if here.certificates.find_served(site.hostname) else DropKind.SETUP,
        ),
        limits.max_open,
    )
    evidence = {"name": drop.name, "app": drop.app, "hostname": drop.hostname, "kind": drop.kind}
    here.audit.append_once(requested_by, "drop.requested", drop.id, evidence, now)
    return drop


def request_by_form(account: str, app: str, hostname: str, name: str, requested_by: str) -> str:
    """
    Record the wish of an operator who filled in a form, and give the drop's id.

    Repeat: A live drop of this name for the same app and hostname is given, so a run that is started again
        opens no second one.

    Raises:
        BadInput: A field is missing; and what `request_drop` raises.
    """
    here = current()
    if not (account and app and hostname and requested_by):
        raise BadInput(
            "the form",
            got="neither a drop nor all of account, app, hostname and your name",
            wanted="either a drop, or the four of them",
            do="Fill in the missing fields.",
            who=Who.OPERATOR,
        )
    there = here.drops.find_by_name(account, name)
    if there and there.outcome is None and (there.app, there.hostname) == (app, parse_hostname(hostname)):
        return there.id
    drop_id = make_id("drop", os.urandom(policy.DROP_ID_BYTES))
    asker = f"operator:{requested_by.strip().casefold()}"
    return request_drop(drop_id, name, account, app, hostname, asker, here.now()).id
