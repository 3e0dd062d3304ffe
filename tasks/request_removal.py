"""Put on record that HTTPS is to be disabled for a hostname. Plain: the front desk and the form call it."""

from __future__ import annotations

import os
from datetime import datetime

from tasks.clients.installation import current
from tasks.core import policy
from tasks.core.errors import NotFound, Rejected
from tasks.core.model import Hostname, Removal, Site, make_id, parse_hostname, parse_name


def request_removal(site: Site, requested_by: str, now: datetime) -> Removal:
    """
    Record the wish to disable HTTPS for *site*, and give it; one that is under way is given.

    Args:
        requested_by: ``account:<name>`` or ``operator:<name>``.

    Raises:
        Rejected: Code ``nothing-to-disable``: no edge is known to serve the hostname over HTTPS.
    """
    here = current()
    live = _find_live(site.hostname)
    if live:
        return live
    installed = here.certificates.find_installed(site.hostname)
    if installed is None:
        raise Rejected(
            site.hostname,
            got="it is not served over HTTPS",
            wanted="a hostname with a certificate on the edges",
            do="Nothing; a hand-over that is under way is given up with `certferry destroy`.",
            code="nothing-to-disable",
        )
    removal = here.removals.create(
        Removal(
            id=make_id("removal", os.urandom(policy.DROP_ID_BYTES)),
            account=site.account,
            app=site.app,
            hostname=site.hostname,
            leaf_sha256=installed.leaf_sha256,
            requested_by=requested_by,
            created_at=now,
        )
    )
    here.audit.append_once(requested_by, "removal.requested", removal.id, {"hostname": site.hostname}, now)
    return removal


def request_by_form(hostname: str, operator: str, flow_run_id: str) -> str:
    """
    Record the wish of an operator who filled in a form, and give the removal's id; a run that has one keeps it.

    Raises:
        BadInput: A field is missing or malformed.

        NotFound: No account has this hostname.

        Rejected: As `request_removal`.
    """
    here = current()
    carried = here.removals.find_of_run(flow_run_id)
    if carried:
        return carried.id
    name = parse_name(operator.strip().casefold(), "operator")
    site = here.accounts.find_site(parse_hostname(hostname))
    if site is None:
        raise NotFound.named("hostname", hostname)
    return request_removal(site, f"operator:{name}", here.now()).id


def _find_live(hostname: Hostname) -> Removal | None:
    return next((each for each in current().removals.list_live() if each.hostname == hostname), None)
