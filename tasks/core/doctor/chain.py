"""
From the leaf to a trusted root, over whatever certificates the customer sent.

`find_path` explains (who issued whom, where it breaks); `check_path` decides, with the path validation of
`cryptography`. Nothing is ever fetched, and a certificate the customer sent is never a root.

Source:
    RFC 5280 section 6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core.doctor.leaf import (
    dns_names,
    find_extension,
    is_authority,
    is_hostname,
    is_signed_over_sha2,
    unknown_critical,
)
from tasks.core.doctor.public_key import may_sign
from tasks.core.model import Hostname


@dataclass(frozen=True)
class Path:
    """
    How far the certificates lead.

    Attributes:
        links: The intermediates from the leaf's issuer on; as far as they lead where there is no root.

        root: The trusted root at the end, or None.
    """

    leaf: x509.Certificate
    links: tuple[x509.Certificate, ...]
    root: x509.Certificate | None

    @property
    def top(self) -> x509.Certificate:
        """The last certificate before the root, or before the gap."""
        return self.links[-1] if self.links else self.leaf

    @property
    def is_self_signed(self) -> bool:
        """Whether the leaf is signed by its own key and is no trusted root."""
        return not (self.root or self.links) and is_self_issued(self.leaf)


def is_self_issued(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def find_path(
    leaf: x509.Certificate,
    pool: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime,
    hostname: Hostname | None = None,
) -> Path:
    """
    Give a path from *leaf* to one of *roots*, over certificates of *pool*.

    Where several lead there, one that a client accepts for *hostname* is preferred; of those one over certificates
    that are valid now and sound, then the longest: a client with an older store may need the cross-signed
    certificate that was sent along. Of two issuers of one name and key the one that ends later is taken.
    """
    roots = sorted(roots, key=lambda root: not root.not_valid_before_utc <= now <= root.not_valid_after_utc)
    usable = [c for c in pool if not (c in roots and is_self_issued(c))]
    usable.sort(key=lambda c: c.not_valid_after_utc, reverse=True)
    valid = [c for c in usable if c.not_valid_before_utc <= now <= c.not_valid_after_utc]
    sound = [c for c in valid if _is_sound(c)]
    paths = []
    for candidates, roots_first in ((sound, False), (sound, True), (valid, False), (usable, False)):
        path = _climb(Path(leaf, (), None), candidates, roots, roots_first, {leaf})
        if path.root and _is_accepted(path, hostname, now):
            return path
        paths.append(path)
    return next((path for path in paths if path.root), paths[-1])


def _climb(
    path: Path,
    pool: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    roots_first: bool,
    seen: set[x509.Certificate],
) -> Path:
    """
    Go on from the top of *path* to a root, or as far as it leads.

    Each certificate is climbed to once: what leads to no root from one place leads to none from another, so a pool
    that was made to confuse costs no more than another.
    """
    root = next(_issuers(path.top, roots), None)
    furthest = Path(path.leaf, path.links, root)
    if root and roots_first:
        return furthest
    for issuer in _issuers(path.top, pool):
        if issuer in seen:
            continue
        seen.add(issuer)
        higher = _climb(Path(path.leaf, (*path.links, issuer), None), pool, roots, roots_first, seen)
        if higher.root:
            return higher
        if not root and len(higher.links) > len(furthest.links):
            furthest = higher
    return furthest


def _is_accepted(path: Path, hostname: Hostname | None, now: datetime) -> bool:
    try:
        check_path(path, name_to_verify(path.leaf, hostname), max(now, path.leaf.not_valid_before_utc))
    except (verification.VerificationError, ValueError):
        return False
    return True


def _is_sound(authority: x509.Certificate) -> bool:
    """Tell whether no client would stumble over it as an intermediate, whatever it issued."""
    usage = find_extension(authority, x509.KeyUsage)
    purposes = find_extension(authority, x509.ExtendedKeyUsage)
    return (
        is_authority(authority)
        and is_signed_over_sha2(authority)
        and not unknown_critical(authority)
        and (usage is None or usage.key_cert_sign)
        and (purposes is None or ExtendedKeyUsageOID.SERVER_AUTH in purposes)
    )


def _issuers(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
    return (c for c in candidates if _is_named(certificate, c) and _signed(certificate, c))


def _is_named(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether *certificate* names *issuer*, by key identifier too: OpenSSL looks for no other then."""
    if certificate.issuer != issuer.subject:
        return False
    named = find_extension(certificate, x509.AuthorityKeyIdentifier)
    held = find_extension(issuer, x509.SubjectKeyIdentifier)
    if named and named.key_identifier and held and named.key_identifier != held.digest:
        return False
    serial = named.authority_cert_serial_number if named else None
    return serial is None or serial == issuer.serial_number


@lru_cache(maxsize=256)  # the searches ask for the same signatures
def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if not may_sign(issuer):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return True  # a signature over SHA-1, say: the link is there, and another check refuses it
    return True


def check_path(path: Path, hostname: Hostname, at: datetime) -> None:
    """
    Check that *path* is one a TLS client accepts for *hostname*: signatures, validity, constraints, names.

    Raises:
        verification.VerificationError: It is not.
    """
    if path.root is None:
        raise verification.VerificationError("there is no trusted root")
    agnostic = verification.Criticality.AGNOSTIC
    # Not `webpki_defaults`: those hold private authorities to rules that no client enforces.
    permit_all = verification.ExtensionPolicy.permit_all
    authorities = (
        permit_all()
        .require_present(x509.BasicConstraints, agnostic, None)
        .may_be_present(x509.KeyUsage, agnostic, _may_sign)
        .may_be_present(x509.ExtendedKeyUsage, agnostic, _may_issue_for_servers)
    )
    leaves = permit_all().require_present(x509.SubjectAlternativeName, agnostic, None)
    authorities = authorities.may_be_present(x509.CertificatePolicies, agnostic, None)  # no browser asks for one
    leaves = leaves.may_be_present(x509.CertificatePolicies, agnostic, None)
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([path.root]))
        .time(at)
        .extension_policies(ca_policy=authorities, ee_policy=leaves)
        .build_server_verifier(x509.DNSName(hostname))
    )
    verifier.verify(path.leaf, list(path.links))


def name_to_verify(leaf: x509.Certificate, hostname: Hostname | None) -> Hostname:
    """
    Give *hostname*, or the first name that *leaf* covers where nobody asked for one.

    Raises:
        ValueError: It covers none.
    """
    if hostname:
        return hostname
    names = [name.lower() for name in dns_names(leaf) if is_hostname(name)]
    if not names:
        raise ValueError("no hostname")
    return Hostname(f"any{names[0][1:]}" if names[0].startswith("*.") else names[0])


def _may_sign(_policy: verification.Policy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage and not usage.key_cert_sign:
        raise ValueError("an issuer's certificate is not for signing certificates")


def _may_issue_for_servers(
    _policy: verification.Policy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
) -> None:
    if usage and ExtendedKeyUsageOID.SERVER_AUTH not in usage:  # any purpose is none to OpenSSL and Firefox
        raise ValueError("an issuer's certificate is not for issuing server certificates")
