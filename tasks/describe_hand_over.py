"""Say where a hand-over stands. Plain: the front desk asks on every `certferry status`."""

from __future__ import annotations

from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_plan
from tasks.clients.subjects import fetch_subject
from tasks.core.errors import CertferryError
from tasks.core.hand_over import Facts, HandOver, read_hand_over
from tasks.core.live import describe_address_records
from tasks.core.model import Certificate, Drop


def describe(drop: str | Drop) -> HandOver:
    """
    Read the records about *drop*, an id or the drop itself, and say where its hand-over stands.

    Nothing is asked of any outside system, so it is cheap and always answers.

    Raises:
        NotFound: There is no such drop.
    """
    here = current()
    found = here.drops.fetch(drop) if isinstance(drop, str) else drop
    certificate = here.certificates.find_by_drop(found.id)
    platform = here.settings.platform
    return read_hand_over(
        found,
        Facts(
            site=here.accounts.fetch_site(found.hostname, found.account),
            contact=here.accounts.fetch_account(found.account).contact,
            address_record=describe_address_records(found.hostname, platform.cname_targets, platform.addresses),
            certificate=certificate,
            ticket_id=here.decisions.find_match(found.id),
            approved=certificate is not None and _is_approved(here, found),
            provisioning=certificate is not None and _is_assigned(here, certificate),
        ),
    )


def _is_approved(here: Installation, drop: Drop) -> bool:
    _, digest = fetch_plan(here, drop)
    approval = here.decisions.find(drop.id, digest)
    return approval is not None and approval.decision == "approve"


def _is_assigned(here: Installation, certificate: Certificate) -> bool:
    assignments = (here.certificates.find_assignment(edge.name, certificate.hostname) for edge in here.settings.edges)
    return any(found is not None and found.certificate_id == certificate.id for found in assignments)


def find_hostname(subject: str) -> str | None:
    """Give a drop's or removal's hostname, to name its run; None if the records do not say: that must stop no run."""
    try:
        return fetch_subject(current(), subject).hostname
    except CertferryError:
        return None
