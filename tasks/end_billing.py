"""The account pays no more for a hostname that was disabled."""

from __future__ import annotations

from tasks.clients.installation import current
from tasks.core.errors import Drifted, RecordsUnavailable
from tasks.retries import step


@step(RecordsUnavailable, "end the charge")
def end_billing(removal_id: str) -> str:
    """
    End the hostname's charge on the day that both edges were seen refusing it; give the entry's key, or nothing.

    Repeat: The entry on record is given.

    Undo: A correction (`Billing.correct`); the ledger forgets nothing.

    Raises:
        Drifted: Code ``not-disabled``: nothing proves that the hostname is served no more.
    """
    here = current()
    now = here.now()
    removal = here.removals.fetch(removal_id)
    if removal.disabled_at is None:
        raise Drifted(
            removal.hostname,
            got="no proof that it is served no more",
            wanted="both edges seen refusing it",
            do="Run this again from the top: the edges come before the bill.",
            code="not-disabled",
        )
    key = f"disable-{removal_id}"
    charged = here.billing.find_open(removal.account, removal.hostname)
    entry = here.billing.find(key) or (charged and here.billing.end(charged.charge, removal.disabled_at, key, now))
    if entry is None:
        return ""
    here.audit.append_once("certferry", "billing.ended", removal_id, {"line": entry.idempotency_key}, now)
    return entry.idempotency_key
