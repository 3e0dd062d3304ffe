"""The same judgement as the platform's, on the customer's machine, before anything leaves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from tasks.core import policy
from tasks.core.certificate import FILES, Installed, Terms, Verdict, judge, load_roots
from tasks.core.doctor.contents import read_contents
from tasks.core.doctor.findings import note, sort_findings
from tasks.core.doctor.intake import MANIFEST, take_in
from tasks.core.doctor.leaf import dns_names
from tasks.core.doctor.manifest import TYPE
from tasks.core.doctor.public_key import describe_certified
from tasks.core.errors import BadBundle, BadInput
from tasks.core.model import Finding, Hostname, Severity
from tasks.core.ticket_text import REMOVED
from tasks.customer.collect import Collected
from tasks.customer.reading import read_file
from tasks.customer.unkeyed import unkeyed

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# What only the platform can say for sure: it may trust a private store that this machine does not have.
TRUST_CODES: Final = frozenset({"chain-untrusted", "chain-incomplete"})
_NOT_PUBLIC: Final = "no-sct"
_ROOTS_MAX_BYTES: Final = 4 * policy.MIB  # of a trust store; the public one has 250 KiB
_MISSING_CODES: Final = frozenset({"key-missing", "certificate-missing"})


@dataclass(frozen=True)
class Examination:
    """
    What was found, and what would be handed over.

    Attributes:
        verdict: Core's, with what was not read and what was added among the findings. Where no finding refuses it
            has a bundle, unless only the platform can tell whether it trusts the root.

        files: The files of a hand-over under their own names; none where a finding refuses.
    """

    verdict: Verdict
    files: dict[str, bytes] = field(repr=False)

    @property
    def refused(self) -> bool:
        return bool(self.verdict.of(Severity.REFUSE))

    def check_passes(self, subject: str) -> None:
        """
        Raise unless the files can be handed over.

        Raises:
            BadBundle: With all findings.
        """
        if self.refused:
            raise BadBundle.of(subject, self.verdict.findings)

    def as_dict(self) -> dict[str, Any]:
        """Give all of it for a program, without the files."""
        return {**self.verdict.as_dict(), "accepted": not self.refused}


def examine(
    collected: Collected, hostname: Hostname | None, trust: Path | None, installed: Path | None, now: datetime
) -> Examination:
    """
    Judge what the customer gave.

    Args:
        trust: PEM of the roots to judge by. Without, they are the public ones, and a chain that does not
            reach them is a warning only, since the platform may know a root that this machine does not; unless
            the certificate was logged, as public authorities do.

        installed: A file with the certificate that serves now; None where nobody renews.

    Raises:
        BadInput: *trust* or *installed* cannot be read, or does not hold what it should.
    """
    files, added = _with_manifest(collected.files)
    roots = _read_roots(trust) if trust else _public_roots()
    serving = _read_installed(installed, now) if installed else None
    terms = Terms(roots, trust is None, now, hostname, installed=serving)
    verdict = judge(files, terms)
    codes = {finding.code for finding in verdict.findings}
    if trust is None and codes & TRUST_CODES and _NOT_PUBLIC in codes:
        verdict = judge(files, replace(terms, public_trust=False))  # without the public authorities' own rules
        verdict = replace(verdict, findings=tuple(map(_soften, verdict.findings)))
    findings = sort_findings(map(_unkeyed, [*_with_unread(collected.findings, verdict.findings), *added]))
    verdict = replace(verdict, findings=findings)
    return Examination(verdict, _select(files, verdict, now))


def _with_manifest(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[Finding]]:
    """Add the `dotcloud.yml` if there is none, not even in an archive: all of them say the same."""
    if (take_in(files).manifest or b"").strip():
        return dict(files), []
    line = f"type: {TYPE}"
    cause = f"{MANIFEST} is missing or empty; one that says {line} is added when the files are handed over"
    return {**files, MANIFEST: f"{line}\n".encode()}, [note("yaml-added", cause)]


def _with_unread(unread: Sequence[Finding], found: Sequence[Finding]) -> Iterable[Finding]:
    """
    Say what was not read, as far as it matters.

    If the rest is good, nothing of it was needed; else it may be just what is missing, which is not said twice then.
    """
    if any(finding.refuses for finding in found):
        return [*unread, *(x for x in found if not (unread and x.code in _MISSING_CODES))]
    return [*found, *(note(x.code, f"{x.cause}; what was read is enough") for x in unread)]


def _select(files: Mapping[str, bytes], verdict: Verdict, now: datetime) -> dict[str, bytes]:
    """Give the files to hand over: to a platform that may know another root, with every certificate that was sent."""
    if verdict.bundle:
        return verdict.bundle.hand_over(files)
    contents = read_contents(files, verdict.hostname, now)
    if verdict.of(Severity.REFUSE) or not (contents.key and contents.leaf):
        return {}
    others = b"".join(x.public_bytes(Encoding.PEM) for x in contents.certificates if x != contents.leaf)
    parts = (contents.key.pem(), contents.leaf.public_bytes(Encoding.PEM), others, contents.manifest or b"")
    return {name: content for name, content in zip(FILES, parts, strict=True) if content}


def _soften(finding: Finding) -> Finding:
    if finding.code not in TRUST_CODES or not finding.refuses:
        return finding
    return replace(
        finding,
        severity=Severity.WARN,
        cause=f"{finding.cause}; the platform may trust a root that this machine does not, so it decides",
        fix=f"{finding.fix} With the platform's roots as a file, --trust FILE decides here.",
    )


def _unkeyed(finding: Finding) -> Finding:
    """Take a key that is a file's name out of *finding*; without the name, a command is of no use."""
    command = unkeyed(finding.command)
    return replace(
        finding,
        cause=unkeyed(finding.cause),
        fix=unkeyed(finding.fix),
        command="" if REMOVED in command else command,
    )


def _public_roots() -> list[Certificate]:
    import certifi

    return load_roots(Path(certifi.where()).read_bytes())


def _read_roots(path: Path) -> list[Certificate]:
    wanted = "a PEM file of root certificates"
    content = _read(path, wanted, _ROOTS_MAX_BYTES + 1)
    if len(content) > _ROOTS_MAX_BYTES:
        got, do = f"more than {_ROOTS_MAX_BYTES} bytes", "Give the file of the platform's roots."
        raise BadInput(str(path), got=got, wanted=wanted, do=do, code="file-too-large")
    try:
        return load_roots(content)
    except BadInput as error:
        raise BadInput(str(path), got=error.got, wanted=wanted, do="Give the file of the platform's roots.") from None


def _read_installed(path: Path, now: datetime) -> Installed:
    wanted = "the certificate that serves now"
    leaf = read_contents({path.name: _read(path, wanted, policy.FILE_MAX_BYTES + 1)}, None, now).leaf
    if leaf is None:
        do = "Give the file that you handed over last time, or what a browser saves."
        raise BadInput(str(path), got="no certificate that can be read", wanted=wanted, do=do)
    return Installed(
        leaf.fingerprint(hashes.SHA256()).hex(),
        describe_certified(leaf).spki_sha256 or "",
        leaf.not_valid_before_utc,
        leaf.not_valid_after_utc,
        tuple(dns_names(leaf)),
    )


def _read(path: Path, wanted: str, most: int) -> bytes:
    try:
        return read_file(path, most)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise BadInput(str(path), got=why, wanted=wanted, do="Check it.", code="unreadable-file") from None
