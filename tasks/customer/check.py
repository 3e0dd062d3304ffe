"""The same check as the platform's, on the customer's machine, before anything leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tasks.core.certificate import Terms, judge, load_roots
from tasks.core.errors import BadBundle, BadInput
from tasks.core.model import Finding, Hostname, Severity

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# What only the platform can say for sure: it may trust a private store that this machine does not have.
TRUST_CODES: Final = frozenset({"chain-untrusted", "chain-incomplete"})


def check_locally(
    files: Mapping[str, bytes], hostname: Hostname, trust: Path | None, now: datetime
) -> tuple[Finding, ...]:
    """
    Give what the platform will find, the gravest first.

    Args:
        trust: PEM of the roots to judge by. Without, they are the public ones, and a chain that does not
            reach them is a warning only, since the platform may know a root that this machine does not.

    Raises:
        BadInput: *trust* cannot be read.
    """
    if trust is not None:
        return judge(files, Terms(_read_roots(trust), False, now, hostname)).findings
    roots = _public_roots()
    findings = judge(files, Terms(roots, True, now, hostname)).findings
    if TRUST_CODES.isdisjoint(x.code for x in findings):
        return findings
    # private trust: without the public authorities' lifetime caps
    findings = judge(files, Terms(roots, False, now, hostname)).findings
    softened = [_soften(x) for x in findings]
    return tuple(sorted(softened, key=lambda x: list(Severity).index(x.severity)))


def check_passes(subject: str, findings: tuple[Finding, ...]) -> None:
    """
    Raise unless none of *findings* refuses.

    Raises:
        BadBundle: With all of them.
    """
    if any(x.refuses for x in findings):
        raise BadBundle.of(subject, findings)


def _soften(finding: Finding) -> Finding:
    if finding.code not in TRUST_CODES or not finding.refuses:
        return finding
    return replace(
        finding,
        severity=Severity.WARN,
        cause=f"{finding.cause}; the platform may trust a root that this machine does not, so it decides",
        fix=f"{finding.fix} With the platform's roots as a file, --trust FILE decides here.",
    )


def _public_roots() -> list[Certificate]:
    import certifi

    return load_roots(Path(certifi.where()).read_bytes())


def _read_roots(path: Path) -> list[Certificate]:
    try:
        return load_roots(path.read_bytes())
    except OSError as error:
        raise BadInput(
            str(path),
            got=error.strerror or type(error).__name__,
            wanted="a PEM file of root certificates",
            do="Give the file of the platform's roots.",
            code="unreadable-file",
        ) from None
