"""Step 1: the domain is the customer's, leads to the platform, and answers."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from tasks.artifacts import note
from tasks.clients.installation import Installation, current
from tasks.core import policy
from tasks.core.addresses import check_reachable
from tasks.core.errors import DNSUnavailable, DomainNotLive
from tasks.core.hand_over import check_live
from tasks.core.live import challenge_name, check_answers, check_challenge, check_leads_here
from tasks.core.model import Drop
from tasks.retries import step


@step(DNSUnavailable, "(1) verify the live domain")
def verify_domain(drop_id: str, wait: bool = True) -> None:
    """
    Prove that the drop's hostname is the customer's (TXT challenge), leads to the platform, and answers over HTTP.

    A name is resolved once; the request goes to the address found, if it is a public one, and follows no redirect.

    Repeat: What held less than a day ago, or is served already, is not looked at again. An older proof is renewed,
        so a domain that lapsed while an approval waited gets no certificate.

    Undo: None is needed: nothing is changed.

    Args:
        wait: Look again, at growing intervals, until the settings' deadline; else look once.

    Raises:
        DomainNotLive: Not yet; the message names the exact record to add.

        Rejected: Code ``address-not-public``.

        HandOverClosed: The hand-over has ended.
    """
    here = current()
    check = here.settings.live_check
    deadline = here.now() + (check.deadline if wait else timedelta())
    pause = check.interval
    while True:
        now = here.now()
        try:
            return _look(here, here.drops.fetch(drop_id), now)
        except DomainNotLive as not_yet:
            if now + pause > deadline:
                raise
            note(f"not live yet, looking again in {pause.total_seconds():.0f} s: {not_yet}")
        time.sleep(pause.total_seconds())
        pause = min(pause * 2, max(check.interval, policy.DOMAIN_INTERVAL_MAX))


def _look(here: Installation, drop: Drop, now: datetime) -> None:
    check_live(drop)
    if _holds(here, drop, now):
        return
    site = here.accounts.fetch_site(drop.hostname, drop.account, drop.app)
    platform, check = here.settings.platform, here.settings.live_check
    check_challenge(site, here.resolver.txt(challenge_name(site.hostname)))
    found = here.resolver.resolve(site.hostname)
    check_leads_here(site.hostname, found.cnames, found.addresses, platform.cname_targets, platform.addresses)
    address = found.addresses[0]
    check_reachable(address, check.allow_networks)
    status = here.probe.http_status(site.hostname, address, check)
    check_answers(site.hostname, status)
    here.audit.append("certferry", "domain.verified", drop.id, {"address": address, "http_status": status}, now)
    here.drops.mark_verified(drop.id, now)


def _holds(here: Installation, drop: Drop, now: datetime) -> bool:
    if drop.verified_at is None:
        return False
    certificate = here.certificates.find_by_drop(drop.id)
    served = certificate is not None and here.certificates.find_confirmation(certificate.id) is not None
    return served or now - drop.verified_at < policy.DOMAIN_FRESH
