"""An approval is for one plan, and the digest is the plan."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from tasks.core.model import Hostname, Placement, Plan, Price
from tasks.core.plan import digest_plan

PLAN = Plan(
    drop_id="drop-" + "a" * 26,
    account="acme",
    app="shop",
    hostname=Hostname("shop.example.test"),
    certificate_id="cert-" + "b" * 26,
    leaf_sha256="1" * 64,
    bundle_sha256="2" * 64,
    subject="CN=shop.example.test",
    issuer="CN=Example",
    dns_names=("shop.example.test", "www.example.test"),
    not_before=datetime(2026, 6, 1, tzinfo=UTC),
    not_after=datetime(2026, 9, 1, tzinfo=UTC),
    edges=("edge-a", "edge-b"),
    megabytes=160,
    unit_price=Decimal("0.10"),
    currency="EUR",
    requested_by="account:acme",
)

OTHER: dict[str, Any] = {
    "not_before": PLAN.not_before + timedelta(seconds=1),
    "not_after": PLAN.not_after + timedelta(microseconds=1),
    "dns_names": ("shop.example.test,www.example.test",),
    "edges": ("edge-b", "edge-a"),
    "megabytes": 161,
    "unit_price": Decimal("0.11"),
    "placement": Placement.DEDICATED,
    "price_changes": (Price(date(2027, 1, 1), Decimal("0.12")),),
}


@pytest.mark.parametrize("name", [field.name for field in fields(Plan)])
def test_a_plan_changed_anywhere_is_another_plan(name: str) -> None:
    """Every field counts: who approved one plan has approved no other."""
    changed: Any = OTHER.get(name, f"{getattr(PLAN, name)}x")
    assert digest_plan(PLAN) != digest_plan(replace(PLAN, **{name: changed}))


def test_the_digest_is_the_same_everywhere_and_for_ever() -> None:
    """An approval given before a restart or an update still counts after it."""
    assert digest_plan(PLAN) == "67079825039a14ff9d9cf863eee1f169ebcb99b06383e5fe787b2cc385eca3e7"


@pytest.mark.parametrize("price", ["0.1", "0.100", "1E-1"])
def test_a_price_is_a_number_not_its_spelling(price: str) -> None:
    """A database may give a price back with more zeros."""
    assert digest_plan(PLAN) == digest_plan(replace(PLAN, unit_price=Decimal(price)))


def test_a_time_is_a_moment_not_its_timezone() -> None:
    """A database may give a time back in another timezone."""
    elsewhere = PLAN.not_after.astimezone(timezone(timedelta(hours=5)))
    assert digest_plan(PLAN) == digest_plan(replace(PLAN, not_after=elsewhere))


def test_a_time_without_timezone_is_a_mistake() -> None:
    """It could be read as two moments."""
    with pytest.raises(ValueError, match="timezone"):
        digest_plan(replace(PLAN, not_after=datetime(2026, 9, 1)))


def test_a_plan_holds_nothing_that_has_no_one_text() -> None:
    """A value of an unknown type has no digest."""
    with pytest.raises(TypeError, match="bytes"):
        digest_plan(replace(PLAN, subject=b"x"))  # type: ignore[arg-type]
