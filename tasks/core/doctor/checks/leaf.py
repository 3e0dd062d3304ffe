"""The rules about the leaf itself: when it is valid, what it is for, what it asks of a browser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core import policy
from tasks.core.doctor.case import Case
from tasks.core.doctor.findings import refuse, shell_name, warn
from tasks.core.doctor.leaf import find_extension, is_authority, list_some, name_of, unknown_critical
from tasks.core.errors import Who
from tasks.core.model import Finding

_ONE_SECOND: Final = timedelta(seconds=1)  # BR 1.6.1: not_after itself belongs to the validity period
_MAX_SERIAL_BITS: Final = 159  # RFC 5280 section 4.1.2.2: 20 octets, and positive


def check_validity(case: Case) -> Iterator[Finding]:
    """It is valid now, and stays so for long enough to be worth the work."""
    if not case.leaf:
        return
    begin, end, now = case.leaf.not_valid_before_utc, case.leaf.not_valid_after_utc, case.terms.now
    least = case.terms.rules.minimum_validity
    if end < now:
        yield refuse("expired", f"the certificate expired on {end:%Y-%m-%d %H:%M} UTC", *case.reissue)
    elif end - now < least:
        cause = f"the certificate expires on {end:%Y-%m-%d %H:%M} UTC, in less than {least.days} days"
        yield refuse("expires-too-soon", cause, *case.reissue)
    if begin > now + policy.CLOCK_SKEW:
        fix = "Hand it over after that time, which this command shows."
        show = f"openssl x509 -in {shell_name(case.contents.leaf_file)} -noout -startdate"
        yield refuse("not-yet-valid", f"the certificate is not valid before {begin:%Y-%m-%d %H:%M} UTC", fix, show)


def check_lifetime(case: Case) -> Iterator[Finding]:
    """It lives no longer than browsers let a public one, by the day of its issue (BR 6.3.2, SC-081v3)."""
    if not case.leaf:
        return
    begin, end = case.leaf.not_valid_before_utc, case.leaf.not_valid_after_utc
    caps = [cap for since, cap in policy.LIFETIME_CAPS if begin.date() >= since][:1] if case.terms.public_trust else []
    caps += [case.terms.rules.maximum_lifetime] if case.terms.rules.maximum_lifetime else []
    if caps and end - begin + _ONE_SECOND > min(caps):
        days, most = (end - begin).days, min(caps).days
        cause = f"the certificate lives {days} days; one issued on {begin:%Y-%m-%d} may live {most}"
        yield refuse("lifetime-too-long", cause, *case.reissue, Who.CA)


def check_purpose(case: Case) -> Iterator[Finding]:
    """It is a server's certificate, and no authority's (BR 7.1.2.7)."""
    if not case.leaf:
        return
    order = ("Order a TLS server certificate. " + case.reissue[0], case.reissue[1])
    purposes = find_extension(case.leaf, x509.ExtendedKeyUsage)
    if ExtendedKeyUsageOID.SERVER_AUTH not in (purposes or ()) and (purposes or case.terms.public_trust):
        cause = "the certificate is not for servers (no serverAuth in its extended key usage)"
        yield refuse("not-server-auth", cause, *order)
    if purposes and ExtendedKeyUsageOID.OCSP_SIGNING in purposes:
        cause = "the certificate is for signing OCSP answers as well, so Firefox does not take it for a server's"
        yield refuse("not-server-auth", cause, *order)
    usage = find_extension(case.leaf, x509.KeyUsage)
    if usage and not usage.digital_signature:
        cause = "the certificate's key may not sign handshakes (no digitalSignature in its key usage)"
        yield refuse("not-server-auth", cause, *order)
    if is_authority(case.leaf) and not (case.path and case.path.is_self_signed):
        cause = "the certificate is one of an authority (CA:TRUE), not of a server"
        yield refuse("ca-leaf", cause, *order)


def check_serial(case: Case) -> Iterator[Finding]:
    """Its serial number is positive and not longer than the standard lets it be (RFC 5280 section 4.1.2.2)."""
    if case.leaf and not (case.leaf.serial_number > 0 and case.leaf.serial_number.bit_length() <= _MAX_SERIAL_BITS):
        what = "not positive" if case.leaf.serial_number <= 0 else "longer than 20 octets"
        yield refuse("serial-bad", f"the serial number of the certificate is {what}", *case.reissue, Who.CA)


def check_extensions(case: Case) -> Iterator[Finding]:
    """It asks nothing of the edge or of a browser that they cannot do."""
    if not case.leaf:
        return
    for certificate in (case.leaf, *(case.path.links if case.path else ())):
        if unknown := unknown_critical(certificate):
            oids = list_some(unknown)
            cause = f"the certificate {name_of(certificate)} has a critical extension that no browser knows ({oids})"
            yield refuse("unknown-extension", cause, *case.reissue, Who.CA)
    if find_extension(case.leaf, x509.PrecertPoison):
        cause = "the certificate is a precertificate, made for the logs and not for servers"
        yield refuse("precertificate", cause, "Ask your certificate authority for the final certificate.", who=Who.CA)
    if find_extension(case.leaf, x509.TLSFeature):
        cause = "the certificate asks for stapled OCSP answers (must-staple), which the edges do not give"
        fix = "Firefox refuses it. Ask for one without must-staple. "
        yield warn("must-staple", cause, fix + case.reissue[0], case.reissue[1])
    if case.terms.public_trust and not _is_logged(case.leaf):
        cause = "the certificate carries no proof that it was logged (SCT), so some browsers refuse it"
        yield warn("no-sct", cause, *case.reissue, Who.CA)


def _is_logged(leaf: x509.Certificate) -> bool:
    proofs = find_extension(leaf, x509.PrecertificateSignedCertificateTimestamps)
    return bool(proofs and len(proofs))
