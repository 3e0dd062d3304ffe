"""
The rules a customer's certificate must meet, one small check each; `CHECKS` is the list.

A check looks at the case and yields what it finds; it never raises, and one that lacks its subject (no leaf was
found) yields nothing. The rules are those of browsers and of the CA/Browser Forum's Baseline Requirements (BR).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core import policy
from tasks.core.case import Case, dns_names, find_extension, name_of, names_text
from tasks.core.chain import is_self_issued
from tasks.core.contents import is_authority, public_facts
from tasks.core.errors import Who
from tasks.core.findings import note, refuse, warn
from tasks.core.manifest import judge_manifest
from tasks.core.model import Finding, Hostname
from tasks.core.private_key import PublicFacts, check_numbers
from tasks.core.text import printable
from tasks.core.weak_keys import find_weakness

_SHA2: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_ONE_SECOND: Final = timedelta(seconds=1)  # BR 1.6.1: not_after itself belongs to the validity period


def check_manifest(case: Case) -> Iterator[Finding]:
    """The `dotcloud.yml` says what kind of app the drop is."""
    if finding := judge_manifest(case.files.get("dotcloud.yml")):
        yield finding


def check_key_numbers(case: Case) -> Iterator[Finding]:
    """The numbers of the private key belong together."""
    if key := case.contents.key:
        try:
            check_numbers(key.der, key.facts)
        except ValueError:
            cause = "the private key in ssl.key is damaged: its numbers do not belong together"
            yield refuse("key-unreadable", cause, "See for yourself: openssl pkey -in ssl.key -noout -check")


def check_public_key(case: Case) -> Iterator[Finding]:
    """The key is of a kind, size and make that browsers accept and that keeps its secret."""
    facts = {case.contents.key.facts} if case.contents.key else set()
    if case.leaf:
        facts.add(public_facts(case.leaf) or PublicFacts("unknown"))
    fix = "Make a new key and have the certificate issued for it: " + case.new_key_and_request
    for fact in facts:
        yield from _judge_rsa(fact, fix) if fact.kind == "RSA" else _judge_kind(fact, fix)


def _judge_kind(fact: PublicFacts, fix: str) -> Iterator[Finding]:
    if fact.kind not in policy.EC_CURVES:
        cause = f"the key is of type {fact.kind}; browsers take RSA and EC on P-256 or P-384"
        yield refuse("key-type", cause, fix)


def _judge_rsa(fact: PublicFacts, fix: str) -> Iterator[Finding]:
    bits = fact.modulus.bit_length()
    if bits not in policy.RSA_BITS:
        sizes = ", ".join(str(size) for size in policy.RSA_BITS)
        yield refuse("rsa-size", f"the RSA key has {bits} bits; {sizes} are accepted", fix)
    if fact.exponent != policy.RSA_EXPONENT:
        exponent = str(fact.exponent) if fact.exponent.bit_length() <= 64 else "a very large one"
        yield refuse("rsa-exponent", f"the RSA key's exponent is {exponent}, not {policy.RSA_EXPONENT}", fix)
    if bits <= policy.RSA_MAX_PARSE_BITS and (weakness := find_weakness(fact.modulus)):
        yield refuse("key-weak", f"the RSA key {weakness}", fix)


def check_pair(case: Case) -> Iterator[Finding]:
    """The private key is the certificate's (by SPKI)."""
    if not (case.contents.key and case.leaf):
        return
    certified = public_facts(case.leaf)
    if certified is None or not certified.is_same_key(case.contents.key.facts):
        cause = f"the private key is not the one of the certificate for {names_text(case.leaf)}"
        compare = "openssl pkey -in ssl.key -pubout; openssl x509 -in ssl.crt -noout -pubkey"
        yield refuse(
            "key-mismatch", cause, f"Find the key that the request was made with; these two must agree: {compare}"
        )


def check_names(case: Case) -> Iterator[Finding]:
    """A subject alternative name covers the hostname; the common name never counts (RFC 9525 section 6.3)."""
    if not case.leaf:
        return
    names = dns_names(case.leaf)
    if not any(covers(name, case.hostname) for name in names):
        yield refuse(
            "name-mismatch", f"the certificate is for {names_text(case.leaf)}, not {case.hostname}", case.renew
        )
    if len(names) > policy.MAX_SANS:
        cause = f"the certificate names {len(names)} hosts; at most {policy.MAX_SANS} are accepted"
        yield refuse("too-many-names", cause, case.renew)


def check_validity(case: Case) -> Iterator[Finding]:
    """It is valid now, and stays so for long enough to be worth the work."""
    if not case.leaf:
        return
    begin, end = case.leaf.not_valid_before_utc, case.leaf.not_valid_after_utc
    if end < case.now:
        yield refuse("expired", f"the certificate expired on {end:%Y-%m-%d %H:%M} UTC", case.renew)
    elif end - case.now < case.minimum_validity:
        cause = f"the certificate expires on {end:%Y-%m-%d %H:%M} UTC, in less than {case.minimum_validity.days} days"
        yield refuse("expires-too-soon", cause, case.renew)
    if begin > case.now + policy.CLOCK_SKEW:
        fix = "Push it again after that time; openssl x509 -in ssl.crt -noout -startdate shows it."
        yield refuse("not-yet-valid", f"the certificate is not valid before {begin:%Y-%m-%d %H:%M} UTC", fix)


def check_lifetime(case: Case) -> Iterator[Finding]:
    """A public certificate lives no longer than browsers let it, by the day of its issue (BR 6.3.2, SC-081v3)."""
    if not (case.leaf and case.public_trust):
        return
    begin, end = case.leaf.not_valid_before_utc, case.leaf.not_valid_after_utc
    cap = next((cap for since, cap in policy.LIFETIME_CAPS if begin.date() >= since), None)
    if cap and end - begin + _ONE_SECOND > cap:
        cause = f"the certificate lives {(end - begin).days} days; one issued on {begin:%Y-%m-%d} may live {cap.days}"
        yield refuse("lifetime-too-long", cause, case.renew, Who.CA)


def check_purpose(case: Case) -> Iterator[Finding]:
    """It is a server's certificate, and no authority's (BR 7.1.2.7)."""
    if not case.leaf:
        return
    purposes = find_extension(case.leaf, x509.ExtendedKeyUsage)
    if ExtendedKeyUsageOID.SERVER_AUTH not in (purposes or ()) and (purposes or case.public_trust):
        cause = "the certificate is not for servers (no serverAuth in its extended key usage)"
        yield refuse("not-server-auth", cause, "Order a TLS server certificate. " + case.renew)
    usage = find_extension(case.leaf, x509.KeyUsage)
    if usage and not usage.digital_signature:
        cause = "the certificate's key may not sign handshakes (no digitalSignature in its key usage)"
        yield refuse("not-server-auth", cause, "Order a TLS server certificate. " + case.renew)
    if is_authority(case.leaf):
        cause = "the certificate is one of an authority (CA:TRUE), not of a server"
        yield refuse("ca-leaf", cause, "Order a TLS server certificate. " + case.renew)


def check_extensions(case: Case) -> Iterator[Finding]:
    """It asks nothing of the edge or of a browser that they cannot do."""
    if not case.leaf:
        return
    if find_extension(case.leaf, x509.TLSFeature):
        yield refuse(
            "must-staple", "the certificate asks for stapled OCSP answers, which the edges do not give", case.renew
        )
    for certificate in (case.leaf, *(case.path.links if case.path else ())):
        for extension in certificate.extensions:
            if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
                oid = extension.oid.dotted_string
                cause = f"the certificate {name_of(certificate)} has a critical extension that no browser knows ({oid})"
                yield refuse("unknown-extension", cause, case.renew, Who.CA)
    if case.public_trust and not find_extension(case.leaf, x509.PrecertificateSignedCertificateTimestamps):
        cause = "the certificate carries no proof that it was logged (SCT), so some browsers refuse it"
        yield warn("no-sct", cause, case.renew, Who.CA)


def check_signatures(case: Case) -> Iterator[Finding]:
    """Every signature up to the root is over SHA-2."""
    for certificate in (case.path.leaf, *case.path.links) if case.path else ():
        algorithm = _signature_hash(certificate)
        if not isinstance(algorithm, _SHA2):
            name = algorithm.name.upper() if algorithm else "an algorithm that browsers do not know"
            cause = f"the certificate {name_of(certificate)} is signed over {name}, not SHA-256, SHA-384 or SHA-512"
            yield refuse("signature-algorithm", cause, case.renew, Who.CA)


def check_chain(case: Case) -> Iterator[Finding]:
    """The certificates lead from the leaf to a trusted root."""
    if not case.path:
        return
    for link in case.path.links:
        if not link.not_valid_before_utc <= case.now <= link.not_valid_after_utc:
            cause = f"the intermediate {name_of(link)} is valid only until {link.not_valid_after_utc:%Y-%m-%d}"
            yield refuse("chain-expired", cause, "Put your authority's current intermediate into ssl.chain.")
    if case.path.root:
        return
    top = case.path.top
    if is_self_issued(top):
        what = (
            "the certificate is signed by its own key" if not case.path.links else f"{name_of(top)} is no root we know"
        )
        fix = "Have the certificate issued by an authority that browsers trust: " + case.new_key_and_request
        yield refuse("chain-untrusted", what, fix)
        return
    issuer = printable(top.issuer.rfc4514_string())
    cause = (
        f"the chain stops at {name_of(top)}: the certificate of its issuer, {issuer}, is missing and no root we know"
    )
    fix = f"Download the intermediate {issuer} from your authority and append it: cat intermediate.pem >> ssl.chain"
    yield refuse("chain-incomplete", cause, fix)


def check_order(case: Case) -> Iterator[Finding]:
    """Say what is put right: the order, a root that is not sent, certificates that lead nowhere."""
    if not (case.path and case.path.root):
        return
    served = (case.path.leaf, *case.path.links)
    sent = [c for c in case.contents.certificates if c in served]
    if sent != list(served):
        yield note("chain-out-of-order", "the certificates were not in the order leaf to root; they are served in it")
    for certificate in case.contents.certificates:
        if certificate == case.path.root:
            yield note("root-left-out", f"the root {name_of(certificate)} is not served: every browser has it")
        elif certificate not in served:
            yield note("certificate-left-out", f"{name_of(certificate)} is not part of the chain and is not served")


CHECKS: Final[Sequence[Callable[[Case], Iterator[Finding]]]] = (
    check_key_numbers,
    check_pair,
    check_names,
    check_validity,
    check_public_key,
    check_purpose,
    check_signatures,
    check_lifetime,
    check_extensions,
    check_chain,
    check_manifest,
    check_order,
)


def covers(pattern: str, hostname: Hostname) -> bool:
    """Tell whether a certificate's DNS name covers *hostname*; a wildcard is a whole label, the first, and one only."""
    pattern = pattern.lower()
    if not pattern.startswith("*."):
        return pattern == hostname
    _, _, parent = hostname.partition(".")
    return "." in parent and pattern[2:] == parent


def _signature_hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    try:
        return certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return None
