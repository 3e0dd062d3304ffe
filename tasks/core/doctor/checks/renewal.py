"""What a renewal should not bring: compared with what the edges serve for the hostname now."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.hazmat.primitives import hashes

from tasks.core.doctor.case import Case
from tasks.core.doctor.findings import warn
from tasks.core.doctor.leaf import covers, dns_names
from tasks.core.doctor.public_key import describe_certified
from tasks.core.model import Finding, Hostname
from tasks.core.text import printable


def check_renewal(case: Case) -> Iterator[Finding]:
    """It is newer than what is installed, has a key of its own, and covers what was covered."""
    leaf, installed = case.leaf, case.terms.installed
    if not (leaf and installed):
        return
    if leaf.fingerprint(hashes.SHA256()).hex() == installed.leaf_sha256:
        cause = "this is the certificate that the edges serve already"
        yield warn("renewal-same-certificate", cause, "Hand over the new one, if you meant to renew.")
        return
    if leaf.not_valid_before_utc < installed.not_before or leaf.not_valid_after_utc < installed.not_after:
        cause = (
            f"the certificate (valid {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}) is"
            f" older than the installed one ({installed.not_before:%Y-%m-%d} to {installed.not_after:%Y-%m-%d})"
        )
        yield warn("renewal-older", cause, "Check that you did not take last year's files.")
    if describe_certified(leaf).spki_sha256 == installed.spki_sha256:
        cause = "the certificate is for the same key as the installed one; a new key each time limits what a leak costs"
        yield warn("renewal-same-key", cause, *case.new_key)
    if dropped := [name for name in installed.dns_names if not _still_covered(name, dns_names(leaf))]:
        listed = ", ".join(printable(name, 80) for name in dropped[:10])
        cause = f"the installed certificate also covers {listed}, which this one does not"
        yield warn("renewal-names-dropped", cause, "Check that these names are no longer needed. " + case.reissue[0])


def _still_covered(name: str, names: list[str]) -> bool:
    return any(name.lower() == other.lower() or covers(other, Hostname(name.lower())) for other in names)
