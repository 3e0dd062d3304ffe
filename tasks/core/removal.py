"""Disabling HTTPS for a hostname: what an approval is for, and what the customer reads. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from tasks.core.model import Removal, RemovalPlan


def draft_removal(removal: Removal, edges: Sequence[str], grace: timedelta) -> RemovalPlan:
    """Write down what will be done: the same record and settings give the same plan, also after it was done."""
    return RemovalPlan(
        removal_id=removal.id,
        account=removal.account,
        app=removal.app,
        hostname=removal.hostname,
        leaf_sha256=removal.leaf_sha256,
        edges=tuple(edges),
        grace_days=grace.days,
        requested_by=removal.requested_by,
    )


def confirm_removal(removal: Removal, charge_ended: datetime | None) -> str:
    """Give the letter that confirms it, with what was seen."""
    assert removal.disabled_at is not None  # noqa: S101  # only what was disabled is confirmed
    assert removal.destroy_at is not None  # noqa: S101
    seen = "; ".join(f"{edge}: {what}" for edge, what in sorted(removal.evidence.get("edges", {}).items()))
    paragraphs = [
        f"HTTPS is disabled for {removal.hostname} since {removal.disabled_at:%Y-%m-%d %H:%M} UTC; plain HTTP goes on. "
        f"Seen from outside: {seen}. Visitors who type https:// read that there is no secure connection.",
        f"Its charge ended on {charge_ended:%Y-%m-%d}." if charge_ended else "Nothing was charged for it.",
        f"The sealed copies of its certificate and key are destroyed after {removal.destroy_at:%Y-%m-%d}. "
        "To have HTTPS again, hand the certificate over anew.",
    ]
    if until := removal.evidence.get("remembered_until"):
        paragraphs.append(
            f"Browsers were promised HTTPS (HSTS): one that remembers cannot reach the site until {until[:10]} at most."
        )
    return "\n\n".join(paragraphs)


def warn_dangling(removal: Removal, answer: str) -> str:
    """Give the letter about a hostname that still leads here although nothing serves it."""
    return (
        f"{removal.hostname} still leads to the platform, but nothing serves it any more ({answer}). Such a dangling "
        "record lets whoever gets an app of that name take the hostname over: remove the record from your DNS, or "
        "start the app again."
    )
