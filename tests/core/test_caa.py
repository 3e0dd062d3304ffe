"""CAA: which records refuse the next certificate. The cases are those of RFC 8659."""

from __future__ import annotations

import pytest

from tasks.core.caa import AUTHORITIES, Property, climb, find_authority, find_refusal
from tasks.core.model import Hostname

OURS = ("letsencrypt.org",)


def issue(value: str) -> Property:
    return Property(0, "issue", value)


def wild(value: str) -> Property:
    return Property(0, "issuewild", value)


def test_climb_goes_up_to_the_top() -> None:
    """RFC 8659, section 3: the name, its parent, and so on; not the root."""
    assert climb(Hostname("www.shop.example.com")) == ["www.shop.example.com", "shop.example.com", "example.com", "com"]


@pytest.mark.parametrize(
    ("properties", "refused", "refused_wildcard"),
    [
        ([], False, False),
        ([issue("letsencrypt.org")], False, False),
        ([issue("LetsEncrypt.org.")], False, False),
        ([issue("letsencrypt.org; validationmethods=dns-01; accounturi=https://x")], False, False),
        ([issue("digicert.com")], True, True),
        ([issue("digicert.com"), issue("letsencrypt.org")], False, False),
        ([issue(";")], True, True),
        ([issue("")], True, True),
        ([issue(";"), issue("letsencrypt.org")], False, False),
        ([issue("notletsencrypt.org")], True, True),
        ([wild("digicert.com")], False, True),
        ([wild(";"), issue("letsencrypt.org")], False, True),
        ([wild("letsencrypt.org"), issue("digicert.com")], True, False),
        ([Property(0, "iodef", "mailto:a@b.c")], False, False),
        ([Property(128, "iodef", "mailto:a@b.c")], False, False),
        ([Property(0, "tbs", "unknown")], False, False),
        ([Property(128, "tbs", "unknown"), issue("letsencrypt.org")], True, True),
        ([Property(1, "tbs", "unknown")], False, False),
    ],
)
def test_refusals(properties: list[Property], refused: bool, refused_wildcard: bool) -> None:
    """issuewild counts for wildcards alone and before issue; what is critical and unknown refuses all."""
    assert bool(find_refusal(properties, OURS, wildcard=False)) is refused
    assert bool(find_refusal(properties, OURS, wildcard=True)) is refused_wildcard


@pytest.mark.parametrize(("value", "refused"), [(";", True), ("digicert.com", False)])
def test_an_authority_nobody_knows(value: str, refused: bool) -> None:
    """Only what refuses everybody is sure to refuse it: no false alarm for a private one."""
    assert bool(find_refusal([issue(value)], (), wildcard=False)) is refused


def test_the_refusal_says_who_may() -> None:
    """So that an operator can tell the customer what to add."""
    assert find_refusal([issue("b.example"), issue("a.example")], OURS, wildcard=False) == (
        "issue allows a.example, b.example"
    )
    assert find_refusal([issue(";")], OURS, wildcard=False) == "issue allows nobody"


@pytest.mark.parametrize(
    ("issuer", "known"),
    [
        ("CN=R11,O=Let's Encrypt,C=US", True),
        ("C=US,O=Let's Encrypt,CN=R11", True),
        ("CN=DigiCert TLS RSA SHA256 2020 CA1,O=DigiCert Inc,C=US", True),
        (r"CN=X,O=GoDaddy.com\, Inc.,C=US", True),
        ("CN=O=Let's Encrypt", False),
        ("CN=Office Root", False),
        (r"CN=a\,O=Let's Encrypt", False),
    ],
)
def test_the_authority_is_found_by_its_organisation(issuer: str, known: bool) -> None:
    """Escapes of RFC 4514 are read; a name that only looks like it is not taken."""
    assert bool(find_authority(issuer)) is known


def test_domains_are_written_as_they_are_compared() -> None:
    """Lower case, no final dot."""
    domains = [domain for listed in AUTHORITIES.values() for domain in listed]
    assert domains == [domain.lower().rstrip(".") for domain in domains]
