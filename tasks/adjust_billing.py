"""Step 6: the account pays for the pair."""

from __future__ import annotations

from datetime import datetime

from tasks.artifacts import show_receipt
from tasks.clients.installation import Installation, current
from tasks.clients.plans import fetch_approved_plan, fetch_plan
from tasks.core.errors import Drifted, RecordsUnavailable
from tasks.core.model import Charge, Drop, Plan
from tasks.retries import step


@step(RecordsUnavailable, "(6) adjust the bill")
def adjust_billing(drop_id: str) -> str:
    """
    Write the one ledger line of this hand-over at the approved price, and give its idempotency key.

    A hostname that is paid for already is swapped in place: no second line, and the first one's key is given.
    The charge starts when the second edge was proven, so a late line costs the customer nothing more or less.

    Repeat: The line on record is given.

    Undo: Disabling the hostname writes a line that ends the charge; the ledger forgets nothing.

    Raises:
        Drifted: Code ``no-confirmation``: nothing proves that the pair serves, so there is nothing to pay for.

        ApprovalPending: Code ``plan-changed``: nobody approved the price as it is now.
    """
    here = current()
    now = here.now()
    drop = here.drops.fetch(drop_id)
    plan, _ = fetch_plan(here, drop)
    key = f"enable-{plan.certificate_id}"
    line = here.billing.find(key) or _find_line(here, drop)
    if line is None:
        line = here.billing.charge(_draft_charge(here, fetch_approved_plan(here, drop), key, now), now)
        show_receipt(line)
    here.audit.append_once("certferry", "billing.charged", drop_id, {"line": line.idempotency_key}, now)
    return line.idempotency_key


def _find_line(here: Installation, drop: Drop) -> Charge | None:
    lines = here.billing.statement(drop.account)
    return next((line for line in lines if line.hostname == drop.hostname), None)


def _draft_charge(here: Installation, plan: Plan, key: str, now: datetime) -> Charge:
    confirmation = here.certificates.find_confirmation(plan.certificate_id)
    if confirmation is None:
        raise Drifted(
            plan.hostname,
            got="no confirmation is on record",
            wanted="proof from both edges before a charge",
            do="Run this hand-over again: step 5 comes before step 6.",
            code="no-confirmation",
        )
    assignments = (here.certificates.find_assignment(edge, plan.hostname) for edge in plan.edges)
    proven = [found.proven_at for found in assignments if found and found.proven_at]
    return Charge(
        idempotency_key=key,
        account=plan.account,
        hostname=plan.hostname,
        megabytes=plan.megabytes,
        unit_price=plan.unit_price,
        currency=plan.currency,
        starts_at=max(proven, default=now),
        confirmation_id=confirmation,
    )
