"""See whether a hostname that was disabled still leads here with nothing behind it: somebody could take it over."""

from __future__ import annotations

from tasks.clients.answers import answer_ticket
from tasks.clients.installation import Installation, current
from tasks.core import policy
from tasks.core.errors import DNSUnavailable, DomainNotLive, Drifted, Rejected
from tasks.core.live import check_answers, check_leads_here
from tasks.core.model import Removal
from tasks.core.removal import warn_dangling
from tasks.retries import step

NO_APP = 404
"""What a gateway answers for a name that no app has; an app's own start page is there."""


@step(DNSUnavailable, "look for a dangling record")
def look_for_dangling(removal_id: str) -> None:
    """
    Look where the hostname leads; if here, and no app answers, say so on the ticket, once, and to the operators.

    A hostname that is served over HTTPS again is nobody's worry.

    Repeat: Looks again; one letter for each time that it begins to dangle.

    Undo: None is needed.

    Raises:
        Drifted: Code ``dangling-record``: it dangles. Operators are told at every look.
    """
    here = current()
    now = here.now()
    removal = here.removals.fetch(removal_id)
    answer = _find_dangling(here, removal)
    here.removals.mark_looked(removal_id, answer is not None, now)
    if answer is None:
        return
    since = here.removals.fetch(removal_id).dangling_since or now
    here.audit.append_once("certferry", f"dns.dangling.{since:%Y%m%d%H%M%S}", removal_id, {"answer": answer}, now)
    answer_ticket(here, removal_id, warn_dangling(removal, answer), f"dangling-{removal_id}-{since:%Y%m%d%H%M%S}", now)
    raise Drifted(
        removal.hostname,
        got=f"it still leads to the platform, and nothing serves it ({answer})",
        wanted="a record that is gone, or an app behind it",
        do=f"See that {removal.account} removes the record; give no app of another account this hostname until then.",
        code="dangling-record",
    )


def list_unlooked() -> list[str]:
    """Give the removals whose hostname's DNS is to be looked at again."""
    here = current()
    return [removal.id for removal in here.removals.list_unlooked(here.now() - policy.DANGLING_INTERVAL)]


def _find_dangling(here: Installation, removal: Removal) -> str | None:
    """Give what the hostname answers if it leads here and no app does; None while all is well."""
    if here.certificates.find_installed(removal.hostname):
        return None
    platform, check = here.settings.platform, here.settings.live_check
    found = here.resolver.resolve(removal.hostname)
    try:
        check_leads_here(removal.hostname, found.cnames, found.addresses, platform.cname_targets, platform.addresses)
    except DomainNotLive:
        return None
    try:
        status = here.probe.http_status(removal.hostname, found.addresses[0], check)
        check_answers(removal.hostname, status)
    except (DomainNotLive, Rejected) as silent:
        return silent.got
    return f"GET http://{removal.hostname}/ answers {status}" if status == NO_APP else None
