"""
Judge a customer's key, certificate and chain: nothing a browser would refuse gets through.

    files -> contents (what is in them) -> path (to a root) -> checks (every finding) -> CheckedBundle

Pure: the roots and the time are arguments, and no address out of a certificate is ever looked at.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from tasks.core import policy
from tasks.core.case import Case, dns_names
from tasks.core.chain import Path, check_path, find_path
from tasks.core.checks import CHECKS
from tasks.core.contents import public_facts, read_contents
from tasks.core.errors import BadBundle, BadInput, Who
from tasks.core.files import FILES
from tasks.core.findings import refuse, sort_findings
from tasks.core.model import Finding, Hostname
from tasks.core.text import printable

__all__ = ["FILES", "CheckedBundle", "check_bundle", "judge", "load_roots"]


@dataclass(frozen=True)
class CheckedBundle:
    """
    A bundle that passed every check. Holds no key.

    Attributes:
        subject, issuer: RFC 4514 text, escaped for display.

        serial: Lower hex.

        dns_names: The SANs of type DNS, lower case, sorted; escaped for display.

        leaf_pem, chain_pem: The certificates as they are served, the leaf's issuer first, without the root.

        warnings: Findings that do not refuse: warnings and notes.
    """

    leaf_sha256: str
    spki_sha256: str
    subject: str
    issuer: str
    serial: str
    dns_names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    leaf_pem: bytes = field(repr=False)
    chain_pem: tuple[bytes, ...] = field(repr=False)
    warnings: tuple[Finding, ...] = ()

    def edge_pem(self, files: Mapping[str, bytes]) -> bytes:
        """
        Give what an edge loads: the key exactly as it was sent, the leaf, the intermediates.

        The same files always give the same bytes; only line breaks and text around the PEM blocks are left out.

        Raises:
            ValueError: *files* are not those that were checked.
        """
        key = read_contents(files).key
        if key is None or key.facts.spki_sha256 != self.spki_sha256:
            raise ValueError("the key in these files is not the one that was checked")
        return key.pem() + self.leaf_pem + b"".join(self.chain_pem)


def judge(
    files: Mapping[str, bytes],
    hostname: Hostname,
    roots: Sequence[x509.Certificate],
    public_trust: bool,
    now: datetime,
    minimum_validity: timedelta = policy.MIN_VALIDITY_LEFT,
) -> tuple[CheckedBundle | None, tuple[Finding, ...]]:
    """
    Run every check over *files* and give all findings, the refusing ones first.

    Args:
        roots: Who is trusted; certificates in *files* never are.

        public_trust: Whether *roots* are the public ones, so that the rules for public certificates hold.

        now: With a timezone.

    Returns:
        The bundle, or None where a finding refuses it.
    """
    contents = read_contents(files)
    path = find_path(contents.leaf, contents.certificates, roots, now) if contents.leaf else None
    case = Case(files, contents, hostname, public_trust, now, minimum_validity, path)
    found = [*contents.findings, *(finding for check in CHECKS for finding in check(case))]
    if path and not any(finding.refuses for finding in found):
        found += _validate(path, hostname, now)
    findings = sort_findings(found)
    if path is None or any(finding.refuses for finding in findings):
        return None, findings
    return _bundle(path, findings), findings


def check_bundle(
    files: Mapping[str, bytes],
    hostname: Hostname,
    roots: Sequence[x509.Certificate],
    public_trust: bool,
    now: datetime,
    minimum_validity: timedelta = policy.MIN_VALIDITY_LEFT,
) -> CheckedBundle:
    """
    Give the checked bundle of *files*; the arguments are those of `judge`.

    Raises:
        BadBundle: At least one finding refuses; the error carries all of them.
    """
    bundle, findings = judge(files, hostname, roots, public_trust, now, minimum_validity)
    if bundle is None:
        raise BadBundle.of(hostname, findings)
    return bundle


def load_roots(pem: bytes) -> list[x509.Certificate]:
    """
    Load a trust store from PEM.

    Raises:
        BadInput: There is no certificate in it, or one that does not parse.
    """
    try:
        with warnings.catch_warnings():
            # A public root has a serial number that is not positive: nothing a reader of our output can mend.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BadInput(
            "the trust store",
            got="not a list of certificates in PEM",
            wanted="at least one root certificate",
            do="Point the setting at a PEM file of root certificates.",
            who=Who.OPERATOR,
        ) from None


def _validate(path: Path, hostname: Hostname, now: datetime) -> list[Finding]:
    """Have the path judged once more as a TLS client would; what `CHECKS` do not explain ends here."""
    try:
        check_path(path, hostname, max(now, path.leaf.not_valid_before_utc))
    except verification.VerificationError as error:
        reason = printable(str(error).partition(" (encountered")[0].removeprefix("validation failed: "))
        fix = "Ask your authority for the right intermediates: openssl verify -untrusted ssl.chain ssl.crt"
        return [refuse("chain-invalid", f"a browser would not accept the chain: {reason}", fix)]
    return []


def _bundle(path: Path, findings: tuple[Finding, ...]) -> CheckedBundle:
    leaf = path.leaf
    facts = public_facts(leaf)
    return CheckedBundle(
        leaf_sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        spki_sha256=hashlib.sha256(facts.spki if facts and facts.spki else b"").hexdigest(),
        subject=printable(leaf.subject.rfc4514_string()),
        issuer=printable(leaf.issuer.rfc4514_string()),
        serial=format(leaf.serial_number, "x"),
        dns_names=tuple(sorted({printable(name.lower(), 253) for name in dns_names(leaf)})),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        leaf_pem=leaf.public_bytes(Encoding.PEM),
        chain_pem=tuple(link.public_bytes(Encoding.PEM) for link in path.links),
        warnings=findings,
    )
