"""Have a hand-over open for the next certificate of a hostname."""

from __future__ import annotations

import os
from datetime import datetime

from tasks.clients.installation import Installation, current
from tasks.clients.openings import make_key_pair
from tasks.core import policy
from tasks.core.errors import BadInput, KeysUnavailable, NotFound
from tasks.core.hand_over import name_renewals
from tasks.core.model import Certificate, Drop, Hostname, make_id, parse_hostname
from tasks.request_drop import request_drop
from tasks.retries import step


@step(KeysUnavailable, "open the renewal")
def request_renewal(hostname: str, requested_by: str) -> str:
    """
    Give the drop of the renewal of *hostname* that is under way; open one if there is none.

    The drop is open when this returns: its customer can push into it by the name that the record gives.

    Repeat: The same drop, until its hand-over has ended.

    Undo: `cancel_hand_over`.

    Args:
        requested_by: ``account:<name>``, ``operator:<name>``, or `PLATFORM`, whose renewals count for no quota.

    Raises:
        NotFound: The hostname has no certificate, so there is nothing to renew.

        BadHostname: It is no hostname.

        QuotaExceeded: The account has too many live drops.
    """
    here = current()
    now = here.now()
    name = parse_hostname(hostname)
    drop = here.drops.find_renewal(name, now) or _request(here, name, requested_by, now)
    make_key_pair(here, drop, now)
    return drop.id


def _request(here: Installation, hostname: Hostname, requested_by: str, now: datetime) -> Drop:
    served = here.certificates.find_served(hostname)
    if served is None:
        raise NotFound.named("certificate of", hostname)
    drop_id = make_id("drop", os.urandom(policy.DROP_ID_BYTES))
    short, long = name_renewals(hostname, drop_id)
    try:
        return _record(here, served, short, drop_id, requested_by, now)
    except BadInput as error:
        if error.code != "name-taken":
            raise
    # by whoever asked at the same time; or for another hostname, whose name is as short
    return here.drops.find_renewal(hostname, now) or _record(here, served, long, drop_id, requested_by, now)


def _record(here: Installation, served: Certificate, name: str, drop_id: str, requested_by: str, now: datetime) -> Drop:
    app = here.drops.fetch(served.drop_id).app
    return request_drop(drop_id, name, served.account, app, served.hostname, requested_by, now)
