"""
Keys and certificates at the limits of what a library still loads, made without the hours that sound ones would take.

    big = multi_prime_rsa(16384)  # a real key: its modulus is the product of many short primes
    certificate("CN of it", "CN of issuer", big.spki, big.sign)
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.corpus import craft

_PRIME_BITS: Final = 512
_SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017 section 9.2
RSA_SHA256: Final = craft.sequence(craft.oid("1.2.840.113549.1.1.11"), b"\x05\0")
ECDSA_SHA256: Final = craft.sequence(craft.oid("1.2.840.10045.4.3.2"))
_AUTHORITY: Final = craft.extension("2.5.29.19", craft.sequence(craft.tlv(1, b"\xff")), critical=True)


@dataclass(frozen=True)
class Signer:
    """A public key and what signs for it."""

    spki: bytes
    algorithm: bytes
    sign: Callable[[bytes], bytes]


@cache
def _primes(count: int) -> tuple[int, ...]:
    found: list[int] = []
    while len(found) < count:
        numbers = rsa.generate_private_key(65537, 2 * _PRIME_BITS).private_numbers()
        found += [numbers.p, numbers.q]
    return tuple(dict.fromkeys(found))[:count]


@cache
def multi_prime_rsa(bits: int, exponent: int | None = 65537) -> Signer:
    """Make an RSA key; None gives the longest exponent there can be."""
    primes = _primes(bits // _PRIME_BITS)
    modulus, totient = math.prod(primes), math.prod(p - 1 for p in primes)
    if exponent is None:
        private = next(d for d in range(65537, 99999, 2) if math.gcd(d, totient) == 1)
        public = pow(private, -1, totient)
    else:
        public = next(e for e in range(exponent, exponent + 999, 2) if math.gcd(e, totient) == 1)
        private = pow(public, -1, totient)

    def sign(data: bytes) -> bytes:
        digest = _SHA256_PREFIX + hashlib.sha256(data).digest()
        size = (modulus.bit_length() + 7) // 8
        padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
        return _power(int.from_bytes(padded, "big"), private, primes).to_bytes(size, "big")

    return Signer(craft.rsa_public(modulus, public), RSA_SHA256, sign)


def _power(base: int, exponent: int, primes: Sequence[int]) -> int:
    """Give *base* to the power of *exponent* modulo the product of *primes*, by the Chinese remainder theorem."""
    result, modulus = 0, 1
    for prime in primes:
        residue = pow(base, exponent % (prime - 1), prime)
        result += modulus * ((residue - result) * pow(modulus, -1, prime) % prime)
        modulus *= prime
    return result


def ec_signer(curve: ec.EllipticCurve | None = None) -> Signer:
    key = ec.generate_private_key(curve or ec.SECP256R1())
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Signer(spki, ECDSA_SHA256, lambda data: key.sign(data, ec.ECDSA(hashes.SHA256())))


def unsigned(spki: bytes, algorithm: bytes = ECDSA_SHA256, signature: bytes = b"\0" * 64) -> Signer:
    """Give a signer for a public key whose private half nobody has: its signatures are wrong."""
    return Signer(spki, algorithm, lambda _: signature)


def certificate(
    subject: bytes,
    issuer: bytes,
    spki: bytes,
    signer: Signer,
    *extensions: bytes,
    serial: int = 1,
    authority: bool = True,
    ends: bytes = b"20261231000000Z",
) -> bytes:
    """Give a certificate in DER, valid in the middle of 2026; *subject* and *issuer* are names in DER."""
    validity = craft.times(b"20260601000000Z", ends, 0x18)
    all_extensions = [_AUTHORITY, *extensions] if authority else extensions
    listed = craft.tlv(0xA3, craft.sequence(*all_extensions)) if all_extensions else b""
    version = craft.tlv(0xA0, craft.integer(2))
    body = craft.sequence(version, craft.integer(serial), signer.algorithm, issuer, validity, subject, spki, listed)
    return craft.sequence(body, signer.algorithm, craft.bits(signer.sign(body)))


def name(text: str) -> bytes:
    return craft.common_name(text.encode())
