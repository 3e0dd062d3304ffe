"""
What can be said about a private key, the cheap things first.

The numbers of an RSA key are read from its DER before OpenSSL sees it: loading an RSA-8192 key costs seconds.

Source:
    RFC 5958 (PKCS#8), RFC 8017 appendix A.1.2 (PKCS#1), RFC 5915 (SEC1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from tasks.core import policy
from tasks.core.der import INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, read_sequence, read_values

_RSA: Final = bytes.fromhex("2a864886f70d010101")
_RSA_INTEGERS: Final = 9  # version, n, e, d, p, q, dp, dq, qInv; DSA's own form has 6
_NAMES: Final = {
    bytes.fromhex("2a8648ce3d0201"): "EC",
    bytes.fromhex("2a8648ce380401"): "DSA",
    bytes.fromhex("2a864886f70d01010a"): "RSASSA-PSS",
    bytes.fromhex("2b6570"): "Ed25519",
    bytes.fromhex("2b6571"): "Ed448",
    bytes.fromhex("2b656e"): "X25519",
    bytes.fromhex("2b656f"): "X448",
}
_MAX_LOAD_BITS: Final = 16384  # OpenSSL's own limits for a public key (OPENSSL_RSA_MAX_MODULUS_BITS,
_MAX_EXPONENT_BITS: Final = 64  # OPENSSL_RSA_MAX_PUBEXP_BITS)


@dataclass(frozen=True)
class PublicFacts:
    """
    What the rules look at.

    Attributes:
        kind: ``RSA``, the curve of an EC key (``secp256r1``), or another algorithm's name.

        modulus, exponent: Of an RSA key.

        spki: The DER of the SubjectPublicKeyInfo; None where OpenSSL would not load the key.
    """

    kind: str
    modulus: int = 0
    exponent: int = 0
    spki: bytes | None = field(default=None, repr=False)

    @property
    def spki_sha256(self) -> str | None:
        return hashlib.sha256(self.spki).hexdigest() if self.spki else None

    def is_same_key(self, other: PublicFacts) -> bool:
        """Compare by SPKI, or by the numbers of an RSA key too odd to have one here."""
        if self.spki and other.spki:
            return self.spki == other.spki
        return self.kind == other.kind == "RSA" and (self.modulus, self.exponent) == (other.modulus, other.exponent)


def describe_public(key: CertificatePublicKeyTypes, kind: str | None = None) -> PublicFacts:
    """Give the facts about a loaded public key; *kind* where the certificate knows better than the key object."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return PublicFacts(kind or "RSA", numbers.n, numbers.e, spki)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicFacts(kind or key.curve.name, spki=spki)
    return PublicFacts(kind or type(key).__name__.removesuffix("PublicKey"), spki=spki)


def describe_private(der: bytes) -> PublicFacts:
    """
    Give the facts about an unencrypted private key in PKCS#8, PKCS#1 or SEC1, without testing its numbers.

    Raises:
        ValueError: It is none of these. Says nothing about the content.
    """
    kind, inner = _kind(der)
    if kind != "RSA":
        return _describe_by_loading(der, kind)
    integers = [value for tag, value in read_sequence(inner) if tag == INTEGER]
    if len(integers) < _RSA_INTEGERS:
        raise ValueError("not an RSA private key")
    modulus, exponent = int.from_bytes(integers[1], "big"), int.from_bytes(integers[2], "big")
    return PublicFacts("RSA", modulus, exponent, _rsa_spki(modulus, exponent))


def _rsa_spki(modulus: int, exponent: int) -> bytes | None:
    """Give the SPKI of two numbers: the private ones need not be loaded for it."""
    if modulus.bit_length() > _MAX_LOAD_BITS or exponent.bit_length() > _MAX_EXPONENT_BITS:
        return None
    try:
        return describe_public(rsa.RSAPublicNumbers(exponent, modulus).public_key()).spki
    except ValueError:
        return None


def check_numbers(der: bytes, facts: PublicFacts) -> None:
    """
    Check that the numbers of the key belong together: a quarter of a second for RSA-4096.

    A key that the rules refuse anyway is not worth the time, nor what its size may cost.

    Raises:
        ValueError: They do not.
    """
    affordable = facts.modulus.bit_length() in policy.RSA_BITS and facts.exponent == policy.RSA_EXPONENT
    if facts.kind == "RSA" and affordable:
        _load(der)


def _kind(der: bytes) -> tuple[str, bytes]:
    """Give the kind, and for RSA the PKCS#1 inside."""
    values = read_sequence(der)
    tags = [tag for tag, _ in values[:3]]
    if tags[:3] == [INTEGER, SEQUENCE, OCTET_STRING]:
        tag, oid = read_values(values[1][1])[0]
        if tag != OBJECT_IDENTIFIER:
            raise ValueError("no algorithm")
        return ("RSA", values[2][1]) if oid == _RSA else (_NAMES.get(oid, "unknown"), b"")
    if tags[:2] == [INTEGER, OCTET_STRING]:
        return "EC", b""
    if tags[:2] == [INTEGER, INTEGER]:
        return ("RSA", der) if len(values) >= _RSA_INTEGERS else ("DSA", b"")
    raise ValueError("not a private key")


def _describe_by_loading(der: bytes, kind: str) -> PublicFacts:
    """Give the facts about a key that is not plain RSA; only EC keys have to load, the others are refused anyway."""
    try:
        facts = describe_public(_load(der).public_key())  # type: ignore[arg-type]
    except ValueError:
        if kind == "EC":
            raise
        return PublicFacts(kind)
    return facts if kind == "EC" else PublicFacts(kind, spki=facts.spki)


def _load(der: bytes) -> PrivateKeyTypes:
    try:
        return load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("OpenSSL does not load it") from None
