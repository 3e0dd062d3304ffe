"""The plan of a hand-over, as records and settings have it now: one reading for the gate, the edges and the bill."""

from __future__ import annotations

from tasks.clients.installation import Installation
from tasks.core.approval import check_approved, draft_plan
from tasks.core.errors import ApprovalPending, NotFound
from tasks.core.model import Drop, Placement, Plan
from tasks.core.plan import digest_plan


def fetch_plan(here: Installation, drop: Drop) -> tuple[Plan, str]:
    """
    Give the plan for *drop* and its digest.

    Raises:
        NotFound: Its certificate has not been ingested.

        Drifted: Code ``no-price``: the price book has no price for it.
    """
    certificate = here.certificates.find_by_drop(drop.id)
    if certificate is None:
        raise NotFound.named("certificate of drop", drop.id)
    billing, book = here.settings.billing, here.settings.billing.book
    edges = [edge.name for edge in here.settings.edges]
    prices = book.list_prices(Placement.SHARED, book.day_of(drop.created_at))
    plan = draft_plan(drop, certificate, edges, billing.megabytes, prices, book.currency)
    return plan, digest_plan(plan)


def fetch_approved_plan(here: Installation, drop: Drop, plan_sha256: str | None = None) -> Plan:
    """
    Give the plan for *drop* as it stands, if a person approved it.

    Args:
        plan_sha256: The digest it must have, where one is known.

    Raises:
        ApprovalPending: Code ``plan-changed``: nobody decided on the plan as it is now, or it has another digest.

        ApprovalDenied: The decision on it was no.

        NotFound: The drop's certificate has not been ingested.
    """
    plan, digest = fetch_plan(here, drop)
    check_plan_approved(here, drop.id, digest, plan_sha256)
    return plan


def check_plan_approved(here: Installation, subject: str, digest: str, plan_sha256: str | None = None) -> None:
    """
    Raise unless a person approved the plan for *subject*, a drop or removal, that has this *digest* now.

    Args:
        plan_sha256: The digest it must have, where one is known.

    Raises:
        ApprovalPending, ApprovalDenied: As `fetch_approved_plan`.
    """
    approval = here.decisions.find(subject, digest)
    if approval is None or plan_sha256 not in (None, digest):
        raise ApprovalPending(
            subject,
            got=f"the plan has changed: its digest is {digest}",
            wanted=f"the approved plan{f', {plan_sha256}' if plan_sha256 else ''}",
            do="Run it again: it asks for an approval of the plan as it is now.",
            code="plan-changed",
        )
    check_approved(approval)
