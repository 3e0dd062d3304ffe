"""Step 6: the account pays for the pair."""

from __future__ import annotations

from datetime import datetime

from tasks.artifacts import show_receipt
from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_approved_plan, fetch_plan
from tasks.core.errors import Drifted, RecordsUnavailable
from tasks.core.model import EntryKind, LedgerEntry, Plan
from tasks.retries import step


@step(RecordsUnavailable, "(6) adjust the bill")
def adjust_billing(drop_id: str) -> str:
    """
    Begin to charge for this hand-over's hostname at the approved price, and give the key of the ledger entry.

    A hostname that is paid for already is swapped in place: nothing is written, and the key of what is paid is given.
    The charge starts when the second edge was proven, so a late line costs the customer nothing more or less.

    Repeat: The entry on record is given.

    Undo: `Billing.end` writes an entry that ends the charge; the ledger forgets nothing.

    Raises:
        Drifted: Code ``no-confirmation``: nothing proves that the pair serves, so there is nothing to pay for;
            ``not-assigned``: nor is it meant to serve the hostname any more.

        ApprovalPending: Code ``plan-changed``: nobody approved the price as it is now.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    plan, _ = fetch_plan(here, drop)
    key = f"enable-{plan.certificate_id}"
    entry = here.billing.find(key) or here.billing.find_open(drop.account, drop.hostname)
    if entry is None:
        entry = here.billing.charge(_draft_enable(here, fetch_approved_plan(here, drop), key, now), now)
        show_receipt(entry)
    here.audit.append_once("certferry", "billing.charged", drop_id, {"line": entry.idempotency_key}, now)
    return entry.idempotency_key


def _draft_enable(here: Installation, plan: Plan, key: str, now: datetime) -> LedgerEntry:
    confirmation = here.certificates.find_confirmation(plan.certificate_id)
    if confirmation is None:
        raise Drifted(
            plan.hostname,
            got="no confirmation is on record",
            wanted="proof from both edges before a charge",
            do="Run this hand-over again: step 5 comes before step 6.",
            code="no-confirmation",
        )
    start = _find_start(here, plan, now)
    return LedgerEntry(
        idempotency_key=key,
        kind=EntryKind.ENABLE,
        charge=key,
        account=plan.account,
        hostname=plan.hostname,
        placement=plan.placement,
        megabytes=plan.megabytes,
        unit_price=plan.price_on(here.settings.billing.book.day_of(start)),
        currency=plan.currency,
        at=start,
        confirmation_id=confirmation,
    )


def _find_start(here: Installation, plan: Plan, now: datetime) -> datetime:
    """Give when the second edge was proven."""
    assignments = [here.certificates.find_assignment(edge, plan.hostname) for edge in plan.edges]
    if not all(assignments):
        raise Drifted(
            plan.hostname,
            got="no edge, or one of the two, is meant to serve it",
            wanted="a hostname that both edges are meant to serve",
            do="Nothing, if it was disabled meanwhile; else run this hand-over again.",
            code="not-assigned",
        )
    return max((found.proven_at for found in assignments if found and found.proven_at), default=now)
