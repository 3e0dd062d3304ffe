"""Readings of one certificate: its names, its purpose, its texts made safe to show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtensionOID

from tasks.core.doctor.der import OCTET_STRING, read_sequence, read_value, read_values
from tasks.core.model import Hostname, find_hostname
from tasks.core.text import printable

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)
_SHOWN_NAMES: Final = 10
_SAN: Final = bytes.fromhex("0603551d11")
_DNS_NAME: Final = 0x82
_MOST_ATTRIBUTES: Final = 100  # of a name; those in use have under 20
_TEXTS: Final = (
    0x03,
    0x0C,
    0x12,
    0x13,
    0x14,
    0x16,
    0x1C,
    0x1E,
)  # X.520: strings; bits as an identifier
UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises on a certificate that breaks the standard."""


def _check_name(name: x509.Name) -> None:
    """Raise unless *name* is of a sensible size, and each value text that can be shown: OpenSSL loads no other."""
    attributes = len(list(name))
    if attributes > _MOST_ATTRIBUTES:
        raise ValueError("too many attributes")
    name.rfc4514_string()
    for _, inside in read_values(read_value(name.public_bytes())[1], _MOST_ATTRIBUTES) if attributes else ():
        for _, attribute in read_values(inside, _MOST_ATTRIBUTES):
            if read_values(attribute)[1][0] not in _TEXTS:
                raise ValueError("a value that is no text")


def _check_version(certificate: x509.Certificate) -> None:
    """Raise if it has what its version has not (RFC 5280 section 4.1.2.1)."""
    if certificate.version is not x509.Version.v3 and len(certificate.extensions):
        raise ValueError("extensions in a certificate that is not of version 3")


def _check_public_key(certificate: x509.Certificate) -> None:
    """Raise if it certifies a point that is not on its accepted curve, or an RSA key without NULL parameters."""
    if _RSA_WITHOUT_NULL in certificate.tbs_certificate_bytes:
        raise ValueError("parameters are not NULL (RFC 3279 section 2.3.1)")
    named = certificate.public_key_algorithm_oid == x509.ObjectIdentifier("1.2.840.10045.2.1")
    if named and any(curve in certificate.tbs_certificate_bytes for curve in _CURVES):
        certificate.public_key()


_UNDERSTOOD: Final = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.CERTIFICATE_POLICIES,
        ExtensionOID.POLICY_CONSTRAINTS,
        ExtensionOID.POLICY_MAPPINGS,
        ExtensionOID.INHIBIT_ANY_POLICY,
        ExtensionOID.PRECERT_POISON,  # has a check of its own
    }
)
"""What a browser understands, so that it may be critical (RFC 5280 section 4.2)."""

_SHA2: Final = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
_RSA_WITHOUT_NULL: Final = bytes.fromhex("300b06092a864886f70d010101")
_CURVES: Final = (bytes.fromhex("06082a8648ce3d030107"), bytes.fromhex("06052b81040022"))  # P-256, P-384
_PARTS: Final[tuple[tuple[str, Callable[[x509.Certificate], object]], ...]] = (
    ("its subject", lambda c: _check_name(c.subject)),
    ("its issuer", lambda c: _check_name(c.issuer)),
    ("its validity", lambda c: (c.not_valid_before_utc, c.not_valid_after_utc)),
    ("its extensions", lambda c: c.extensions),
    ("its version", _check_version),
    ("its public key", _check_public_key),
)


def find_malformation(certificate: x509.Certificate) -> str | None:
    """Name the first part of *certificate* that is not as the standard says, or give None; parts are parsed late."""
    for name, part in _PARTS:
        try:
            part(certificate)
        except UNREADABLE:
            return name
    return None


def has_raw_names(certificate: x509.Certificate) -> bool:
    """Tell whether a DNS name in it holds octets beyond ASCII, which makes its extensions unreadable."""
    body = certificate.tbs_certificate_bytes
    at = body.find(_SAN)
    if at < 0:
        return False
    try:
        wrapped = next(value for tag, value in read_values(body[at + len(_SAN) :], 2) if tag == OCTET_STRING)
        names = read_sequence(wrapped)
    except (ValueError, StopIteration):
        return False
    return any(tag == _DNS_NAME and not value.isascii() for tag, value in names)


def find_extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def unknown_critical(certificate: x509.Certificate) -> list[str]:
    """Give the object identifiers of its critical extensions that no browser knows."""
    return [e.oid.dotted_string for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]


def signature_hash(certificate: x509.Certificate) -> hashes.HashAlgorithm | None:
    """Give the hash under its signature; None where there is none, or one that nothing here knows."""
    try:
        return certificate.signature_hash_algorithm
    except (UnsupportedAlgorithm, ValueError):
        return None


def is_signed_over_sha2(certificate: x509.Certificate) -> bool:
    return isinstance(signature_hash(certificate), _SHA2)


def is_authority(certificate: x509.Certificate) -> bool:
    """Tell whether the certificate says that it may sign others."""
    constraints = find_extension(certificate, x509.BasicConstraints)
    return bool(constraints and constraints.ca)


def dns_names(certificate: x509.Certificate) -> list[str]:
    """Give the subject alternative names of type DNS, as they stand there."""
    names = find_extension(certificate, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.DNSName) if names else []


def is_hostname(name: str) -> bool:
    """Tell whether it is a hostname in ASCII, perhaps behind ``*.``; a name of one label counts as one here."""
    bare = name.removeprefix("*.").lower()
    full = bare if "." in bare else f"{bare}.invalid"
    return find_hostname(full) == full


def covers(pattern: str, hostname: Hostname) -> bool:
    """Tell whether a certificate's DNS name covers *hostname*; a wildcard is a whole label, the first, and one only."""
    pattern = pattern.lower()
    if not pattern.startswith("*."):
        return pattern == hostname
    _, _, parent = hostname.partition(".")
    return "." in parent and pattern[2:] == parent


def names_text(certificate: x509.Certificate) -> str:
    names = dns_names(certificate)
    if not names:
        return "no name at all (it has no subjectAltName of type DNS; the common name does not count)"
    return list_some(names)


def list_some(texts: Sequence[str], quote: str = "") -> str:
    """Give the first of *texts*, escaped, and how many more there are."""
    shown = ", ".join(f"{quote}{printable(text, 80)}{quote}" for text in texts[:_SHOWN_NAMES])
    return shown + (f" and {len(texts) - _SHOWN_NAMES} more" if len(texts) > _SHOWN_NAMES else "")


def name_of(certificate: x509.Certificate) -> str:
    return printable(certificate.subject.rfc4514_string()) or "without a name"


def issuer_of(certificate: x509.Certificate) -> str:
    return printable(certificate.issuer.rfc4514_string()) or "without a name"
