"""
Tell what a piece of DER is from its outermost structure, whatever its file is called.

Source:
    RFC 5280 (certificate, CRL), RFC 2986 (request), RFC 5958 (PKCS#8), RFC 8017 (PKCS#1), RFC 5915 (SEC1),
    RFC 2315 (PKCS#7), RFC 7292 (PKCS#12).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from tasks.core.doctor.der import (
    BIT_STRING,
    CONTEXT,
    INTEGER,
    OBJECT_IDENTIFIER,
    OCTET_STRING,
    SEQUENCE,
    read_sequence,
    read_value,
    read_values,
)


class Kind(StrEnum):
    """What it is, in words for a message."""

    CERTIFICATE = "a certificate"
    PKCS8 = "a private key"
    PKCS1 = "an RSA private key"
    SEC1 = "an EC private key"
    DSA = "a DSA private key"
    ENCRYPTED_KEY = "an encrypted private key"
    PUBLIC_KEY = "a public key"
    REQUEST = "a certificate signing request"
    REVOCATIONS = "a revocation list"
    PKCS7 = "a PKCS#7 file"
    PKCS12 = "a PKCS#12 file"
    UNKNOWN = "unknown"


LABELS: Final = {
    Kind.CERTIFICATE: "CERTIFICATE",
    Kind.PKCS8: "PRIVATE KEY",
    Kind.PKCS1: "RSA PRIVATE KEY",
    Kind.SEC1: "EC PRIVATE KEY",
    Kind.DSA: "DSA PRIVATE KEY",
}
"""The PEM label (RFC 7468) of what an edge may be given."""

PRIVATE_KEYS: Final = frozenset({Kind.PKCS8, Kind.PKCS1, Kind.SEC1, Kind.DSA})
_PKCS7_DATA: Final = bytes.fromhex("2a864886f70d0107")
_TIMES: Final = (0x17, 0x18)
_RSA_INTEGERS: Final = 9  # version, n, e, d, p, q, dp, dq, qInv
_DSA_INTEGERS: Final = 6  # version, p, q, g, public, private


def identify(data: bytes) -> Kind:
    """Say what *data* is; `Kind.UNKNOWN` where it is no SEQUENCE or none of these."""
    if data[:2] == b"\x30\x80":  # BER without lengths, as Windows writes PKCS#7 and PKCS#12
        return _of_indefinite(data[2:40])
    try:
        values = read_sequence(data)
        return _of_values(values)
    except ValueError:
        return Kind.UNKNOWN


def trim_der(data: bytes) -> bytes:
    """
    Give the first DER value of *data*, without what follows it.

    Raises:
        ValueError: There is none.
    """
    return data[: read_value(data)[2]]


def _of_values(values: list[tuple[int, bytes]]) -> Kind:
    tags = [tag for tag, _ in values]
    if tags[:3] == [SEQUENCE, SEQUENCE, BIT_STRING]:
        return _of_signed(read_values(values[0][1]))
    if tags[:3] == [INTEGER, SEQUENCE, OCTET_STRING]:
        return Kind.PKCS8
    if tags[:2] == [INTEGER, OCTET_STRING]:
        return Kind.SEC1
    if tags[:2] == [INTEGER, SEQUENCE] and values[0][1] == b"\x03":
        return Kind.PKCS12
    if tags[:2] == [SEQUENCE, OCTET_STRING]:
        return Kind.ENCRYPTED_KEY
    if tags[:2] == [SEQUENCE, BIT_STRING] or tags == [INTEGER, INTEGER]:
        return Kind.PUBLIC_KEY
    if tags[:2] == [OBJECT_IDENTIFIER, CONTEXT] and values[0][1].startswith(_PKCS7_DATA):
        return Kind.PKCS7
    if set(tags) == {INTEGER} and len(tags) >= _RSA_INTEGERS:
        return Kind.PKCS1
    return Kind.DSA if tags == [INTEGER] * _DSA_INTEGERS else Kind.UNKNOWN


def _of_signed(body: list[tuple[int, bytes]]) -> Kind:
    """Tell a certificate, a request and a revocation list apart by what is signed."""
    tags = [tag for tag, _ in body]
    if any(tag in _TIMES for tag in tags):
        return Kind.REVOCATIONS
    if tags[0] == INTEGER and len(tags) <= 4:
        return Kind.REQUEST
    return Kind.CERTIFICATE


def _of_indefinite(start: bytes) -> Kind:
    if _PKCS7_DATA in start[:12]:
        return Kind.PKCS7
    return Kind.PKCS12 if start.startswith(b"\x02\x01\x03") else Kind.UNKNOWN
