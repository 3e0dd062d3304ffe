"""
Judge a customer's key, certificate and chain: nothing a browser would refuse gets through.

    files -> intake (pieces) -> contents (key, leaf, others) -> path (to a root) -> checks (every finding) -> Verdict

Pure: the roots and the time are among the terms, and no address out of a certificate is ever looked at.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import verification

from tasks.core.doctor.case import Case
from tasks.core.doctor.chain import Path, check_path, find_path, name_to_verify
from tasks.core.doctor.checks import CHECKS
from tasks.core.doctor.contents import Contents, read_contents
from tasks.core.doctor.findings import is_typeable, refuse, shell_name, sort_findings
from tasks.core.doctor.leaf import dns_names, issuer_of, name_of
from tasks.core.doctor.public_key import describe_certified
from tasks.core.doctor.terms import Installed, KeyStanding, Rules, Terms
from tasks.core.doctor.verdict import CheckedBundle, Link, Role, Verdict
from tasks.core.errors import BadInput, Who
from tasks.core.files import FILES
from tasks.core.model import Finding, Severity
from tasks.core.text import printable

__all__ = [
    "FILES",
    "CheckedBundle",
    "Installed",
    "KeyStanding",
    "Rules",
    "Terms",
    "Verdict",
    "judge",
    "load_roots",
]

# What these say has findings of its own, or nothing to mend; a filter that is set once cannot get lost between threads.
warnings.filterwarnings("ignore", ".*serial number|Diffie-Hellman|Invalid ASN.1", CryptographyDeprecationWarning)
warnings.filterwarnings("ignore", "PKCS#7 certificates could not be parsed as DER|Attribute's length", UserWarning)


def judge(files: Mapping[str, bytes], terms: Terms) -> Verdict:
    """
    Run every check over *files* and give all findings, the refusing ones first; never raises, whatever is in them.

    Args:
        files: By the names that the customer knows them by; what they are is told by their content.
    """
    contents = read_contents(files, terms.hostname, terms.now)
    path = _find_path(contents, terms)
    case = Case(contents, terms, path)
    found = [*contents.findings, *(finding for check in CHECKS for finding in check(case))]
    if path and not any(finding.refuses for finding in found):
        found += _validate(path, terms)
    findings = sort_findings(_runnable(_hardened(finding, terms), contents) for finding in found)
    refused = path is None or any(finding.refuses for finding in findings)
    return Verdict(
        hostname=terms.hostname,
        bundle=None if path is None or refused else _bundle(path, contents, findings),
        findings=findings,
        key=f"{contents.key.facts.shown} ({printable(contents.key.file)})" if contents.key else None,
        chain=tuple(_links(path, contents)) if path else (),
    )


def load_roots(pem: bytes) -> list[x509.Certificate]:
    """
    Load a trust store from PEM.

    Raises:
        BadInput: There is no certificate in it, or one that does not parse.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise BadInput(
            "the trust store",
            got="not a list of certificates in PEM",
            wanted="at least one root certificate",
            do="Point the setting at a PEM file of root certificates.",
            who=Who.OPERATOR,
        ) from None


def _find_path(contents: Contents, terms: Terms) -> Path | None:
    if contents.leaf is None:
        return None
    return find_path(contents.leaf, list(contents.certificates), terms.roots, terms.now, terms.hostname)


def _hardened(finding: Finding, terms: Terms) -> Finding:
    """Make a warning refuse where it does not do, by the installation's rules or under public trust."""
    refused = finding.severity is Severity.WARN and finding.code in terms.refused_warnings
    return replace(finding, severity=Severity.REFUSE) if refused else finding


def _runnable(finding: Finding, contents: Contents) -> Finding:
    """Unpack first what a command needs out of an archive; leave out a command whose file has no name to type."""
    if not finding.command:
        return finding
    if any(not is_typeable(name) and shell_name(name) in finding.command for name in contents.names):
        return replace(finding, command="")
    needed = {unpack for name, unpack in contents.unpacking.items() if shell_name(name) in finding.command}
    return replace(finding, command=" && ".join([*sorted(needed), finding.command])) if needed else finding


def _validate(path: Path, terms: Terms) -> list[Finding]:
    """Have the path judged once more as a TLS client would; what `CHECKS` do not explain ends here."""
    try:
        check_path(path, name_to_verify(path.leaf, terms.hostname), max(terms.now, path.leaf.not_valid_before_utc))
    except verification.VerificationError as error:
        reason = printable(str(error).partition(" (encountered")[0].removeprefix("validation failed: "))
        fix = "Ask your certificate authority for the right intermediates."
        return [refuse("chain-invalid", f"a browser would not accept the chain: {reason}", fix, who=Who.CA)]
    return []


def _bundle(path: Path, contents: Contents, findings: tuple[Finding, ...]) -> CheckedBundle:
    leaf, key = path.leaf, describe_certified(path.leaf)
    assert path.root is not None  # noqa: S101 - a path without a root is refused
    return CheckedBundle(
        leaf_sha256=leaf.fingerprint(hashes.SHA256()).hex(),
        spki_sha256=hashlib.sha256(key.spki or b"").hexdigest(),
        subject=printable(leaf.subject.rfc4514_string()),
        issuer=printable(leaf.issuer.rfc4514_string()),
        serial=format(leaf.serial_number, "x"),
        dns_names=tuple(sorted({printable(name.lower(), 253) for name in dns_names(leaf)})),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        key_kind=key.named,
        root_sha256=path.root.fingerprint(hashes.SHA256()).hex(),
        leaf_pem=leaf.public_bytes(Encoding.PEM),
        chain_pem=tuple(link.public_bytes(Encoding.PEM) for link in path.links),
        manifest=contents.manifest or b"",
        warnings=findings,
    )


def _links(path: Path, contents: Contents) -> Iterator[Link]:
    """Give the chain from the leaf up, to the root or to the gap, as it is drawn for a person."""
    for certificate in (path.leaf, *path.links):
        role = Role.LEAF if certificate == path.leaf else Role.INTERMEDIATE
        yield Link(role, name_of(certificate), certificate.not_valid_after_utc, contents.certificates[certificate])
    if path.root:
        yield Link(Role.ROOT, name_of(path.root), path.root.not_valid_after_utc, "the trust store")
    elif path.top.subject != path.top.issuer:
        yield Link(Role.MISSING, issuer_of(path.top))
