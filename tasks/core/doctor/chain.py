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

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509 import verification
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core.doctor.leaf import dns_names, is_hostname, is_signed_over_sha2, unknown_critical
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
    leaf: x509.Certificate, pool: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime
) -> Path:
    """
    Give the shortest path from *leaf* to one of *roots*, over certificates of *pool*.

    Where several lead there, one over certificates that are valid now and sound is preferred. Each certificate is
    looked at once, so that a pool made to confuse costs no more than another.
    """
    roots = sorted(roots, key=lambda root: not root.not_valid_before_utc <= now <= root.not_valid_after_utc)
    usable = [c for c in pool if c not in roots]
    valid = [c for c in usable if c.not_valid_before_utc <= now <= c.not_valid_after_utc]
    sound = [c for c in valid if is_signed_over_sha2(c) and not unknown_critical(c)]
    paths = [_search(leaf, sound, roots)]
    for larger in (valid, usable):
        if not paths[-1].root:
            paths.append(_search(leaf, larger, roots))
    return paths[-1]


def _search(leaf: x509.Certificate, pool: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> Path:
    waiting = [Path(leaf, (), None)]
    seen = {leaf}
    furthest = waiting[0]
    for path in waiting:
        furthest = max(furthest, path, key=lambda p: len(p.links))
        if root := next(_issuers(path.top, roots), None):
            return Path(leaf, path.links, root)
        for issuer in _issuers(path.top, [c for c in pool if c not in seen]):
            seen.add(issuer)
            waiting.append(Path(leaf, (*path.links, issuer), None))
    return furthest


def _issuers(certificate: x509.Certificate, candidates: Iterable[x509.Certificate]) -> Iterator[x509.Certificate]:
    return (c for c in candidates if c.subject == certificate.issuer and _signed(certificate, c))


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
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
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if usage and not allowed & set(usage):
        raise ValueError("an issuer's certificate is not for issuing server certificates")
