"""By what files are judged, and that an installation can only be stricter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tasks.core.certificate import Installed, KeyStanding, Rules, Terms, judge
from tasks.core.doctor.terms import parse_blocked_keys
from tasks.core.errors import BadInput, Who
from tasks.core.model import Finding, Hostname, Severity
from tests.core.conftest import NOW
from tests.pki import CA, Issued

SHOP = Hostname("shop.example.test")
Found = Callable[..., dict[str, Finding]]


@pytest.fixture(name="found")
def _found(root: CA) -> Found:
    def judge_by(issued: Issued, **terms: object) -> dict[str, Finding]:
        verdict = judge(issued.files(), Terms([root.certificate], False, NOW, SHOP, **terms))  # type: ignore[arg-type]
        return {finding.code: finding for finding in verdict.findings}

    return judge_by


def spki_sha256(issued: Issued) -> str:
    spki = issued.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def installed_of(issued: Issued) -> Installed:
    leaf = issued.leaf
    names = ("shop.example.test", "www.example.test")
    return Installed(
        issued.leaf_sha256, spki_sha256(issued), leaf.not_valid_before_utc, leaf.not_valid_after_utc, names
    )


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        (Rules(curves=("secp384r1",)), "curve"),
        (Rules(minimum_validity=timedelta(days=100)), "expires-too-soon"),
        (Rules(maximum_lifetime=timedelta(days=47)), "lifetime-too-long"),
        (Rules(maximum_names=1), "too-many-names"),
    ],
)
def test_an_installation_may_be_stricter(good: Issued, found: Found, rules: Rules, code: str) -> None:
    """What certferry itself accepts is refused where the installation says so, and for that reason only."""
    assert found(good) == {}
    assert {code} == set(found(good, rules=rules))


def test_a_size_may_be_ruled_out(intermediate: CA, found: Found) -> None:
    """An installation may want RSA keys of 3072 bits at least."""
    issued = intermediate.issue([SHOP], key="rsa2048")
    assert set(found(issued, rules=Rules(rsa_bits=(3072, 4096)))) == {"rsa-size"}


def test_a_warning_refuses_where_it_is_wanted_so(good: Issued, root: CA) -> None:
    """Only the warnings that are named become refusals."""
    for rules, severity in ((Rules(), Severity.WARN), (Rules(refused_warnings=frozenset({"no-sct"})), Severity.REFUSE)):
        verdict = judge(good.files(), Terms([root.certificate], True, NOW, SHOP, rules))
        assert [(f.code, f.severity) for f in verdict.findings] == [("no-sct", severity)]
        assert verdict.accepted is (severity is Severity.WARN)


@pytest.mark.parametrize(
    ("standing", "code"),
    [(KeyStanding.COMPROMISED, "key-compromised"), (KeyStanding.OF_ANOTHER_ACCOUNT, "key-of-another-account")],
)
def test_the_records_have_a_say(good: Issued, found: Found, standing: KeyStanding, code: str) -> None:
    """A key that the records know something about is refused, by the SHA-256 of its SPKI."""
    known = {spki_sha256(good): standing}
    assert set(found(good, standing=lambda digest: known.get(digest, KeyStanding.UNKNOWN))) == {code}
    assert found(good, standing=lambda _: KeyStanding.UNKNOWN) == {}


def test_a_blocked_key_is_refused(good: Issued, found: Found) -> None:
    """The list of the installation counts, whoever issued the certificate."""
    assert set(found(good, rules=Rules(blocked_keys=frozenset({spki_sha256(good)})))) == {"key-blocked"}


def test_a_list_of_blocked_keys_is_read() -> None:
    """Upper case, colons and comments are forgiven."""
    text = f"# from the incident\n\n{'AB' * 32}  # one\n{':'.join(['cd'] * 32)}\n"
    assert parse_blocked_keys(text) == {"ab" * 32, "cd" * 32}


@pytest.mark.parametrize("line", ["ab", "x" * 64, "ab" * 33, "SHA256 (stdin)= " + "ab" * 32])
def test_a_line_that_is_no_digest_is_an_error_of_the_operator(line: str) -> None:
    """A list that silently blocks nothing would be worse than none."""
    with pytest.raises(BadInput, match="line 2") as caught:
        parse_blocked_keys(f"{'ab' * 32}\n{line}\n")
    assert caught.value.who is Who.OPERATOR


def test_a_renewal_without_fault_is_silent(intermediate: CA, good: Issued, found: Found) -> None:
    """A newer certificate for a new key and the same names is what is wished for."""
    renewed = intermediate.issue([SHOP, "www.example.test"], age_days=0, days=91)
    assert found(renewed, installed=installed_of(good)) == {}
    wildcard = intermediate.issue(["*.example.test"], age_days=0, days=91)
    assert found(wildcard, installed=installed_of(good)) == {}


def test_the_installed_certificate_again_is_noticed(good: Issued, found: Found) -> None:
    """Last year's files, pushed again: said once, not as four faults."""
    assert set(found(good, installed=installed_of(good))) == {"renewal-same-certificate"}


def test_a_step_back_is_noticed(intermediate: CA, good: Issued, found: Found) -> None:
    """Older, for the same key, without a name: each is a warning with what is lost."""
    older = intermediate.issue([SHOP], key=good.key, age_days=20, days=90)
    findings = found(older, installed=installed_of(good))
    assert set(findings) == {"renewal-older", "renewal-same-key", "renewal-names-dropped"}
    assert {finding.severity for finding in findings.values()} == {Severity.WARN}
    assert "www.example.test" in findings["renewal-names-dropped"].cause
    assert "2026-06-11" in findings["renewal-older"].cause
