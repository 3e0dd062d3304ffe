"""Say what a hostname needs and what it is served with. Plain: the front desk asks for `certferry sites`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tasks.clients.installation import current
from tasks.core.force_https import remembered_until
from tasks.core.live import challenge_name, challenge_value
from tasks.core.model import Site


def describe_site(site: Site) -> dict[str, Any]:
    """
    Read the records about *site*: its DNS records, and the certificate that the edges are meant to serve.

    ``proven_at`` is when the later of both edges was seen serving it; None until both were.
    """
    platform = current().settings.platform
    return {
        "hostname": site.hostname,
        "app": site.app,
        "records": [
            {"name": challenge_name(site.hostname), "type": "TXT", "value": challenge_value(site)},
            {"name": site.hostname, "type": "CNAME", "value": platform.cname_targets[0]},
        ],
        "addresses": list(platform.addresses),
        "served": _describe_served(site),
        "force_https": _describe_switch(site),
    }


def _describe_switch(site: Site) -> dict[str, Any] | None:
    here = current()
    switch = here.switches.find(site.hostname)
    if switch is None or switch.rule is None:
        return None
    return {
        "redirect": switch.redirect,
        "hsts": switch.rule.header,
        "proven_at": switch.proven_at,
        "remembered_until": remembered_until(switch, here.now()),
    }


def _describe_served(site: Site) -> dict[str, Any] | None:
    here = current()
    assignments = [here.certificates.find_assignment(edge.name, site.hostname) for edge in here.settings.edges]
    wanted = next((found.certificate_id for found in assignments if found), None)
    if wanted is None:
        return None
    certificate = here.certificates.fetch(wanted)
    proofs = [x.proven_at if x and x.certificate_id == wanted else None for x in assignments]
    return {
        "leaf_sha256": certificate.leaf_sha256,
        "issuer": certificate.issuer,
        "dns_names": list(certificate.dns_names),
        "not_after": certificate.not_after,
        "proven_at": _latest(proofs),
    }


def _latest(proofs: list[datetime | None]) -> datetime | None:
    """Give the latest, or None if one is missing."""
    moments = [x for x in proofs if x is not None]
    return max(moments) if len(moments) == len(proofs) else None
