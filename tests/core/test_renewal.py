"""What a renewal may change without a person: dates, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tasks.core.model import Certificate
from tasks.core.renewal import compare_renewal
from tests.core.test_procedure import CERTIFICATE

OLD = replace(
    CERTIFICATE,
    key_kind="secp256r1",
    root_sha256="a" * 64,
    trust="public",
    warned=("no-sct",),
    dns_names=("a.b", "c.d"),
)
NEW = replace(
    OLD, id="cert-new", not_before=OLD.not_before + timedelta(days=60), not_after=OLD.not_after + timedelta(days=60)
)


def broken(old: Certificate, new: Certificate) -> list[str]:
    """Give the rules that ask for a person."""
    return [change.rule for change in compare_renewal(old, new) if not change.holds]


def test_nothing_but_dates_asks_for_nobody() -> None:
    assert broken(OLD, NEW) == []


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"account": "rival"}, "account"),
        ({"dns_names": ("a.b",)}, "names"),
        ({"dns_names": ("a.b", "c.d", "e.f")}, "names"),
        ({"key_kind": "RSA-4096"}, "key, same or stronger"),
        ({"issuer": "CN=Another"}, "issuer"),
        ({"root_sha256": "b" * 64}, "root (SHA-256)"),
        ({"trust": "private"}, "trust"),
        ({"not_after": OLD.not_after}, "validity, later"),
        ({"not_before": OLD.not_before - timedelta(days=1)}, "validity, later"),
        ({"warned": ("no-sct", "must-staple")}, "warnings, no new ones"),
    ],
)
def test_anything_else_asks_for_a_person(changed: dict[str, object], rule: str) -> None:
    """One change, one rule that does not hold."""
    assert broken(OLD, replace(NEW, **changed)) == [rule]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ("RSA-2048", "RSA-2048", True),
        ("RSA-2048", "RSA-4096", True),
        ("RSA-4096", "RSA-2048", False),
        ("secp256r1", "secp384r1", True),
        ("secp384r1", "secp256r1", False),
        ("RSA-2048", "secp256r1", False),
        (None, "secp256r1", False),
    ],
)
def test_a_key_of_the_same_kind_may_grow(old: str | None, new: str, holds: bool) -> None:
    """Another kind may be stronger, and yet not do for every client of the site."""
    assert (broken(replace(OLD, key_kind=old), replace(NEW, key_kind=new)) == []) is holds


def test_the_same_key_again_is_no_new_warning() -> None:
    """The customer is warned of it; there is nothing for an operator to judge."""
    assert broken(OLD, replace(NEW, warned=("no-sct", "renewal-same-key"))) == []


def test_a_warning_that_has_gone_is_fine() -> None:
    assert broken(OLD, replace(NEW, warned=())) == []


@pytest.mark.parametrize("unknown", ["key_kind", "root_sha256", "trust", "warned"])
def test_what_is_not_on_record_is_asked_about(unknown: str) -> None:
    """A certificate that came in before these were kept proves nothing; public trust needs no older word."""
    asked = broken(replace(OLD, **{unknown: None}), NEW)  # type: ignore[arg-type]

    assert len(asked) == (0 if unknown == "trust" else 1)
