"""
What the rules look at in a public key: its kind, its numbers, its SPKI.

Source:
    RFC 5280 section 4.1 (where the SPKI stands), RFC 5480 (EC), RFC 8410 (Ed25519 and its kin).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tasks.core.doctor.der import BIT_STRING, CONTEXT, OBJECT_IDENTIFIER, SEQUENCE, read_sequence, read_values

EXPLICIT_EC: Final = "EC with explicit parameters"
RSA: Final = "RSA"
RSA_PSS: Final = "RSASSA-PSS"
EC: Final = "EC"
DH: Final = "DH"
UNKNOWN: Final = "unknown"
ALGORITHMS: Final = {
    bytes.fromhex("2a864886f70d010101"): RSA,
    bytes.fromhex("2a8648ce3d0201"): EC,
    bytes.fromhex("2a8648ce380401"): "DSA",
    bytes.fromhex("2a864886f70d01010a"): RSA_PSS,
    bytes.fromhex("2a8648ce3e0201"): DH,
    bytes.fromhex("2a864886f70d010301"): DH,
    bytes.fromhex("2b6570"): "Ed25519",
    bytes.fromhex("2b6571"): "Ed448",
    bytes.fromhex("2b656e"): "X25519",
    bytes.fromhex("2b656f"): "X448",
}
_UNCOMPRESSED: Final = b"\x04"  # SEC 1 section 2.3.3
_MAX_LOAD_BYTES: Final = 512  # RSA-16384 takes milliseconds, a DH key as long a quarter of a second
_SIGNERS: Final = (RSA, RSA_PSS, EC, EXPLICIT_EC, "Ed25519", "Ed448")
_MAX_SIGNER_BYTES: Final = 1100  # RSA-8192, the largest that an authority was seen to have
_SPKI_AT: Final = 5  # of a TBSCertificate, after serial, signature, issuer, validity, subject


@dataclass(frozen=True)
class PublicFacts:
    """
    What the rules look at.

    Attributes:
        kind: ``RSA``, the curve of an EC key (``secp256r1``), or another algorithm's name.

        modulus, exponent: Of an RSA key.

        spki: The DER of the SubjectPublicKeyInfo as OpenSSL writes it; None where it would not load the key.

        compressed: Whether a certificate has the point of an EC key in its short form.
    """

    kind: str
    modulus: int = 0
    exponent: int = 0
    spki: bytes | None = field(default=None, repr=False)
    compressed: bool = False

    @property
    def spki_sha256(self) -> str | None:
        return hashlib.sha256(self.spki).hexdigest() if self.spki else None

    @property
    def named(self) -> str:
        """The kind and size, for the record."""
        return f"RSA-{self.modulus.bit_length()}" if self.kind == RSA else self.kind

    @property
    def shown(self) -> str:
        """The kind and size, for a person."""
        return f"RSA, {self.modulus.bit_length()} bits" if self.kind == RSA else self.kind

    def is_same_key(self, other: PublicFacts) -> bool:
        """Compare by SPKI, or by the numbers of an RSA key too odd to have one here; False where neither is known."""
        if self.spki and other.spki:
            return self.spki == other.spki
        known = bool(self.modulus) and self.kind == other.kind
        return known and (self.modulus, self.exponent) == (other.modulus, other.exponent)

    def may_be_same_key(self, other: PublicFacts) -> bool:
        """Tell whether the two agree, or are of one kind that cannot be compared here (and is refused for itself)."""
        comparable = (self.spki or self.modulus) and (other.spki or other.modulus)
        return self.is_same_key(other) if comparable else self.kind == other.kind


def describe_public(key: CertificatePublicKeyTypes, kind: str | None = None) -> PublicFacts:
    """Give the facts about a loaded public key; *kind* where its file knows better than the key object."""
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return PublicFacts(kind or RSA, numbers.n, numbers.e, spki)
    if isinstance(key, ec.EllipticCurvePublicKey):
        return PublicFacts(kind or key.curve.name, spki=spki)
    return PublicFacts(kind or type(key).__name__.removesuffix("PublicKey"), spki=spki)


def describe_certified(certificate: x509.Certificate) -> PublicFacts:
    """Give the facts about the key that *certificate* certifies; a key that nothing here loads has only a kind."""
    try:
        algorithm, bits = _spki(certificate)
        kind = name_algorithm(algorithm)
    except ValueError:
        return PublicFacts(UNKNOWN)
    if len(bits) > _MAX_LOAD_BYTES and kind not in (RSA, RSA_PSS):
        return PublicFacts(kind)
    try:
        facts = describe_public(certificate.public_key(), None if kind in (RSA, EC) else kind)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return PublicFacts("EC on a curve that is not known here" if kind == EC else kind)
    return replace(facts, compressed=kind == EC and bits[1:2] != _UNCOMPRESSED)


def may_sign(issuer: x509.Certificate) -> bool:
    """Tell whether its key is of a kind and size that authorities have; others may take seconds to load."""
    try:
        algorithm, bits = _spki(issuer)
        return name_algorithm(algorithm) in _SIGNERS and len(bits) <= _MAX_SIGNER_BYTES
    except ValueError:
        return False


def name_algorithm(identifier: bytes) -> str:
    """
    Name the algorithm of an AlgorithmIdentifier, given its content.

    Raises:
        ValueError: It is none.
    """
    (tag, oid), *parameters = read_values(identifier)
    if tag != OBJECT_IDENTIFIER:
        raise ValueError("no algorithm")
    name = ALGORITHMS.get(oid, UNKNOWN)
    return EXPLICIT_EC if name == EC and parameters and parameters[0][0] == SEQUENCE else name


def _spki(certificate: x509.Certificate) -> tuple[bytes, bytes]:
    """
    Give the certified key as it stands there: the contents of its AlgorithmIdentifier and of its BIT STRING.

    Raises:
        ValueError: It is not a SubjectPublicKeyInfo.
    """
    body = read_sequence(certificate.tbs_certificate_bytes)
    at = _SPKI_AT + (body[0][0] == CONTEXT)
    if len(body) <= at:
        raise ValueError("cut off")
    (_, algorithm), (tag, bits), *_ = [*read_values(body[at][1]), (0, b"")]
    if tag != BIT_STRING:
        raise ValueError("no key")
    return algorithm, bits
