"""
Keys with one known weakness each, made the way the real ones were.

`WEAK_MODULI` shows in the public half, `WEAK_PRIVATE` only in the private one.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import lru_cache
from math import gcd, prod
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

E = 65537
_SMALL_PRIMES = prod(n for n in range(3, 2000) if all(n % d for d in range(2, int(n**0.5) + 1)))


def _is_prime(n: int, rng: random.Random) -> bool:
    """Miller-Rabin, 12 rounds."""
    d, s = n - 1, 0
    while d % 2 == 0:
        d, s = d // 2, s + 1
    for _ in range(12):
        x = pow(rng.randrange(2, n - 1), d, n)
        if x in (1, n - 1):
            continue
        for _ in range(s - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


def _next_prime(n: int, rng: random.Random) -> int:
    n |= 1
    while gcd(n, _SMALL_PRIMES) != 1 or pow(2, n - 1, n) != 1 or not _is_prime(n, rng):
        n += 2
    return n


def _key(p: int, q: int) -> rsa.RSAPrivateKey:
    d = pow(E, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(E, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def _random_prime(bits: int, rng: random.Random) -> int:
    """Give a prime with its two highest bits set, so that two of them make a modulus of twice the bits."""
    return _next_prime((3 << (bits - 2)) | rng.getrandbits(bits - 2), rng)


@lru_cache
def close_primes() -> rsa.RSAPrivateKey:
    """Two neighbouring primes: CVE-2022-26320."""
    rng = random.Random(1)
    p = _random_prime(1024, rng)
    return _key(_next_prime(p + 2, rng), p)


@lru_cache
def roca() -> rsa.RSAPrivateKey:
    """Primes of the form k * M + (65537 ** a mod M): CVE-2017-15361."""
    rng = random.Random(3)
    primes = [n for n in range(2, 168) if all(n % d for d in range(2, n))]
    m = prod(primes)

    def prime() -> int:
        while True:
            k = (3 << (1022 - m.bit_length())) | rng.getrandbits(1021 - m.bit_length())
            p = k * 2 * m + pow(E, rng.getrandbits(200), m)
            if gcd(p, _SMALL_PRIMES) == 1 and pow(2, p - 1, p) == 1 and _is_prime(p, rng):
                return p

    return _key(prime(), prime())


@lru_cache
def vanity(top: bytes) -> rsa.RSAPrivateKey:
    """2048 bits that begin with *top* (half of them at most): any number has a multiple that begins as one likes."""
    rng = random.Random(4)
    p = _random_prime(1024, rng)
    wanted = int.from_bytes(top, "big") << (2048 - 8 * len(top)) | rng.getrandbits(2048 - 8 * len(top))
    return _key(p, _next_prime(wanted // p, rng))


@lru_cache
def short_sleeve(width: int, filled: int) -> rsa.RSAPrivateKey:
    """
    Primes that fill only the lowest *filled* bits of each word of *width* bits.

    Source:
        K. Ryan, H. Böck, Factoring "short-sleeve" RSA keys with polynomials (2026): 8 of 32, and 16 of 128.
    """
    rng = random.Random(5)

    def prime() -> int:
        words = [rng.getrandbits(filled) | 1 << (filled - 1) for _ in range(1024 // width)]
        return _next_prime(sum(word << (width * at) for at, word in enumerate(words)), rng)

    return _key(prime(), prime())


@lru_cache
def near_primes() -> rsa.RSAPrivateKey:
    """Two primes whose highest 114 bits are equal: beyond Fermat's method, and still closer than FIPS 186-5 allows."""
    rng = random.Random(6)
    p = _random_prime(1024, rng)
    return _key(p, _next_prime((p >> 910 << 910) | rng.getrandbits(910), rng))


@lru_cache
def lopsided() -> rsa.RSAPrivateKey:
    """A prime of 160 bits, which the elliptic curve method finds in hours, and one that makes up for it."""
    rng = random.Random(7)
    return _key(_random_prime(160, rng), _random_prime(864, rng))


@lru_cache
def small_private_exponent() -> rsa.RSAPublicKey:
    """A private exponent of 256 bits, and the public one that goes with it: Wiener's attack."""
    rng = random.Random(8)
    p, q = _random_prime(1024, rng), _random_prime(1024, rng)
    return rsa.RSAPublicNumbers(pow(_random_prime(256, rng), -1, (p - 1) * (q - 1)), p * q).public_key()


def _biased_half() -> bytes:
    """1024 bits of which three in four are set, in no pattern."""
    rng = random.Random(9)
    return bytes(0x80 | rng.getrandbits(8) | rng.getrandbits(8) for _ in range(128))


def _modulus(key: rsa.RSAPrivateKey) -> int:
    return key.public_key().public_numbers().n


def _square() -> int:
    return _random_prime(1024, random.Random(10)) ** 2


def _damaged() -> int:
    """What a bit error leaves of a modulus: a random number."""
    sound = _random_prime(1024, random.Random(11)) * _random_prime(1024, random.Random(12))
    return next(n for n in (sound ^ (1 << bit) for bit in range(1, 2000)) if gcd(n, 65521 * 65519 * _SMALL_PRIMES) > 1)


WEAK_MODULI: Final[dict[str, Callable[[], int]]] = {
    "close primes": lambda: _modulus(close_primes()),
    "ROCA": lambda: _modulus(roca()),
    "square": _square,
    "small factor": lambda: 65521 * _random_prime(1016, random.Random(13)) * _random_prime(1016, random.Random(14)),
    "damaged": _damaged,
    "short sleeve, 32 bits": lambda: _modulus(short_sleeve(32, 7)),
    "short sleeve, 128 bits": lambda: _modulus(short_sleeve(128, 16)),
    "vanity": lambda: _modulus(vanity(b"\xca\xfe" * 60)),
    "one byte again and again": lambda: _modulus(vanity(b"\xff" * 18)),
    "biased": lambda: _modulus(vanity(_biased_half())),
}

WEAK_PRIVATE: Final[dict[str, Callable[[], rsa.RSAPrivateNumbers | ec.EllipticCurvePrivateNumbers]]] = {
    "near primes": lambda: near_primes().private_numbers(),
    "lopsided": lambda: lopsided().private_numbers(),
    "patterned primes": lambda: short_sleeve(32, 22).private_numbers(),
    "scalar 1": lambda: _scalar(1),
    "scalar of 64 bits": lambda: _scalar(random.Random(14).getrandbits(64)),
    "scalar near the end": lambda: _scalar(ec.SECP256R1.group_order - 5),
    "scalar with zeros behind": lambda: _scalar(random.Random(15).getrandbits(64) << 100),
    "scalar of one byte": lambda: _scalar(int.from_bytes(b"\x11" * 32, "big")),
    "scalar of four bytes": lambda: _scalar(int.from_bytes(b"\xde\xad\xbe\xef" * 8, "big")),
}


def _scalar(value: int) -> ec.EllipticCurvePrivateNumbers:
    return ec.derive_private_key(value, ec.SECP256R1()).private_numbers()


@lru_cache
def backdoor_payload() -> rsa.RSAPrivateKey:
    """
    A modulus that begins as a message to the backdoor in xz does (CVE-2024-3094): a command of 0 in 16 bytes.

    A real message is no product of primes that somebody knows, so that only a test has the private key.
    """
    a, b = b"\xca\xfe\xba", b"\xbe\x12\x34\x56"
    product = int.from_bytes(b"\0" + a, "little") * int.from_bytes(b, "little")
    return vanity(a + b + (-product % (1 << 64)).to_bytes(8, "little"))
