"""
What can be said about a private key, the cheap things first.

The numbers of an RSA key are read from its DER before OpenSSL sees it: loading an RSA-8192 key costs seconds.

Source:
    RFC 5958 (PKCS#8), RFC 8017 appendix A.1.2 (PKCS#1), RFC 5915 (SEC1).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_der_private_key

from tasks.core import policy
from tasks.core.doctor.der import CONTEXT, INTEGER, SEQUENCE, read_sequence, read_value
from tasks.core.doctor.identify import Kind, identify
from tasks.core.doctor.public_key import (
    DH,
    EC,
    EXPLICIT_EC,
    RSA,
    RSA_PSS,
    UNKNOWN,
    PublicFacts,
    describe_public,
    name_algorithm,
)

PrivateNumbers: TypeAlias = rsa.RSAPrivateNumbers | ec.EllipticCurvePrivateNumbers
_RSA_INTEGERS: Final = 9  # version, n, e, d, p, q, dp, dq, qInv; DSA's own form has 6
_MAX_LOAD_BITS: Final = 16384  # OpenSSL's own limits for a public key (OPENSSL_RSA_MAX_MODULUS_BITS,
_MAX_EXPONENT_BITS: Final = 64  # OPENSSL_RSA_MAX_PUBEXP_BITS)
_MAX_LOAD_BYTES: Final = 2048  # the largest DSA key in use has 1,200; what is larger may take seconds to load


def describe_private(der: bytes) -> PublicFacts:
    """
    Give the facts about an unencrypted private key in PKCS#8, PKCS#1 or SEC1, without testing its numbers.

    Raises:
        ValueError: It is none of these. Says nothing about the content.
    """
    kind, inner = _kind(der)
    if kind not in (RSA, RSA_PSS):
        return _describe_by_loading(der, kind)
    integers = [value for tag, value in read_sequence(inner) if tag == INTEGER]
    if len(integers) < _RSA_INTEGERS:
        raise ValueError("not an RSA private key")
    modulus, exponent = int.from_bytes(integers[1], "big"), int.from_bytes(integers[2], "big")
    spki = _rsa_spki(modulus, exponent) if kind == RSA else None
    return PublicFacts(kind, modulus, exponent, spki)


def _rsa_spki(modulus: int, exponent: int) -> bytes | None:
    """Give the SPKI of two numbers: the private ones need not be loaded for it."""
    if modulus.bit_length() > _MAX_LOAD_BITS or exponent.bit_length() > _MAX_EXPONENT_BITS:
        return None
    try:
        return describe_public(rsa.RSAPublicNumbers(exponent, modulus).public_key()).spki
    except ValueError:
        return None


def read_numbers(der: bytes, facts: PublicFacts) -> PrivateNumbers | None:
    """
    Give the numbers of a key that the rules may accept, once they are shown to belong together; None for another.

    A key that is refused anyway is not worth the time, nor what its size may cost. OpenSSL's own test of an RSA key
    takes a quarter of a second for 4096 bits, most of it to show that the factors are primes; a signature that
    verifies shows the same here, since it would not come out right for others.

    Raises:
        ValueError: They do not belong together.
    """
    if facts.kind in policy.EC_CURVES:
        key = _load(der)
        return key.private_numbers() if isinstance(key, ec.EllipticCurvePrivateKey) else None
    affordable = facts.modulus.bit_length() in policy.RSA_BITS and facts.exponent == policy.RSA_EXPONENT
    return _read_rsa_numbers(der) if facts.kind == RSA and affordable else None


def _read_rsa_numbers(der: bytes) -> rsa.RSAPrivateNumbers:
    key = _load(der, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("not an RSA private key")
    numbers = key.private_numbers()
    p, q, d, e = numbers.p, numbers.q, numbers.d, numbers.public_numbers.e
    together = (
        p * q == numbers.public_numbers.n
        and min(p, q) > 1
        and e * d % (p - 1) == e * d % (q - 1) == 1
        and (numbers.dmp1, numbers.dmq1) == (d % (p - 1), d % (q - 1))
        and numbers.iqmp * q % p == 1
    )
    if not together:
        raise ValueError("the numbers do not belong together")
    try:
        signature = key.sign(b"certferry", padding.PKCS1v15(), hashes.SHA256())
        key.public_key().verify(signature, b"certferry", padding.PKCS1v15(), hashes.SHA256())
    except (ValueError, InvalidSignature):
        raise ValueError("the numbers do not belong together") from None
    return numbers


def _kind(der: bytes) -> tuple[str, bytes]:
    """Give the kind, and for RSA the PKCS#1 inside."""
    what = identify(der)
    values = read_sequence(der)
    if what is Kind.PKCS8:
        return name_algorithm(values[1][1]), values[2][1]
    if what is Kind.SEC1:
        return (EXPLICIT_EC if _has_explicit_parameters(values) else EC), b""
    if what is Kind.PKCS1:
        return RSA, der
    if what is Kind.DSA:
        return "DSA", b""
    raise ValueError("not a private key")


def _has_explicit_parameters(values: list[tuple[int, bytes]]) -> bool:
    return any(tag == CONTEXT and read_value(value)[0] == SEQUENCE for tag, value in values)


def _describe_by_loading(der: bytes, kind: str) -> PublicFacts:
    """Give the facts about a key that is not RSA; only EC keys have to load, the others are refused anyway."""
    if len(der) > _MAX_LOAD_BYTES or kind in (DH, UNKNOWN):
        return PublicFacts(kind)
    try:
        facts = describe_public(_load(der).public_key())  # type: ignore[arg-type]
    except ValueError:
        if kind == EC:
            raise
        return PublicFacts(kind)
    return facts if kind == EC else PublicFacts(kind, spki=facts.spki)


def _load(der: bytes, unsafe_skip_rsa_key_validation: bool = False) -> PrivateKeyTypes:
    try:
        return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=unsafe_skip_rsa_key_validation)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("OpenSSL does not load it") from None
