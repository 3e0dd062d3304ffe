"""The rules of step 4: what an approval is for, and whose word counts."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from tasks.core.currency import round_money
from tasks.core.errors import ApprovalDenied, Forbidden
from tasks.core.model import Approval, Certificate, Drop, Plan, Price, quote_typed


def draft_plan(
    drop: Drop, certificate: Certificate, edges: Sequence[str], megabytes: int, prices: Sequence[Price], currency: str
) -> Plan:
    """
    Write down what will be done for *drop*: the same records and settings give the same plan, to the byte.

    Args:
        prices: The one in force, and behind it those that are known to come.
    """
    return Plan(
        drop_id=drop.id,
        account=drop.account,
        app=drop.app,
        hostname=drop.hostname,
        certificate_id=certificate.id,
        leaf_sha256=certificate.leaf_sha256,
        bundle_sha256=certificate.bundle_sha256,
        subject=certificate.subject,
        issuer=certificate.issuer,
        dns_names=certificate.dns_names,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        edges=tuple(edges),
        megabytes=megabytes,
        unit_price=prices[0].unit_price,
        currency=currency,
        requested_by=drop.requested_by,
        price_changes=tuple(prices[1:]),
    )


def describe_price(plan: Plan) -> str:
    """Give what the pair costs a month, now and after each change that is known to come."""
    changes = (f"; from {x.starts} {_price_month(plan, x.unit_price)}" for x in plan.price_changes)
    return f"{_price_month(plan, plan.unit_price)} a month ({plan.megabytes} MB x {plan.unit_price}){''.join(changes)}"


def _price_month(plan: Plan, unit_price: Decimal) -> str:
    return f"{round_money(Fraction(unit_price) * plan.megabytes, plan.currency)} {plan.currency}"


def parse_approver(name: str, approvers: Sequence[str], requested_by: str) -> str:
    """
    Give *name* as the settings write it, if that person may decide on what *requested_by* asked for.

    Upper and lower case, and space around the name, make no difference.

    Raises:
        Forbidden: Code ``unknown-approver``: the name is empty or not in the settings; ``self-approval``: it asked.
    """
    known = {approver.casefold(): approver for approver in approvers}
    typed = name.strip().casefold()
    if typed not in known:
        raise Forbidden(
            f"approver {quote_typed(name.strip())}",
            got="not one of this installation's approvers",
            wanted="a name from operators.approvers in the settings",
            do="Fill in your own name as the settings have it.",
            code="unknown-approver",
        )
    if f"operator:{typed}" == requested_by.casefold():
        raise Forbidden(
            f"approver {known[typed]}",
            got="the same person asked for this hand-over",
            wanted="the word of another approver (four eyes)",
            do="Ask a colleague to decide.",
            code="self-approval",
        )
    return known[typed]


def check_approved(approval: Approval) -> None:
    """
    Raise unless the decision on record is to approve.

    Raises:
        ApprovalDenied: With the approver's note, since the customer reads it.
    """
    if approval.decision != "approve":
        raise ApprovalDenied(
            approval.subject,
            got=f"an operator said no{': ' + approval.note if approval.note else ''}",
            wanted="an approval",
            do="Ask on the ticket what would have to be different, then open a new hand-over.",
        )
