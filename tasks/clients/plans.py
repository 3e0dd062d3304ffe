"""The plan of a hand-over, as records and settings have it now: one reading for the gate, the edges and the bill."""

from __future__ import annotations

from tasks.clients.installation import Installation
from tasks.core.approval import draft_plan
from tasks.core.errors import NotFound
from tasks.core.model import Drop, Plan
from tasks.core.plan import digest_plan


def fetch_plan(here: Installation, drop: Drop) -> tuple[Plan, str]:
    """
    Give the plan for *drop* and its digest.

    Raises:
        NotFound: Its certificate has not been ingested.
    """
    certificate = here.certificates.find_by_drop(drop.id)
    if certificate is None:
        raise NotFound.named("certificate of drop", drop.id)
    billing = here.settings.billing
    edges = [edge.name for edge in here.settings.edges]
    plan = draft_plan(drop, certificate, edges, billing.megabytes, billing.unit_price, billing.currency)
    return plan, digest_plan(plan)
