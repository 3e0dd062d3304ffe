"""Before a renewal: the hostname has a certificate that this one can take the place of."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import RecordsUnavailable, Rejected
from tasks.core.hand_over import check_live
from tasks.retries import step


@step(RecordsUnavailable, "see that there is something to renew")
def check_served(drop_id: str) -> None:
    """
    Raise unless the hostname is served with a confirmed certificate, or with this renewal's own already.

    It may have been disabled since the drop was requested: then the charge has ended, and only a set-up begins one.

    Repeat: Reads only.

    Undo: None is needed.

    Raises:
        Rejected: Code ``nothing-to-renew``.

        HandOverClosed: The hand-over has ended.
    """
    here = current()
    drop = here.drops.fetch(drop_id)
    check_live(drop)
    if here.certificates.find_served(drop.hostname) is None:
        raise Rejected(
            drop.hostname,
            got="it has no certificate any more: HTTPS was disabled for it after this renewal was opened",
            wanted="a hostname that is served with a certificate",
            do=f"To have it set up again: `certferry create {drop.name} --app {drop.app} --hostname {drop.hostname}`.",
            code="nothing-to-renew",
        )
