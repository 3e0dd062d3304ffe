"""RSA keys with one known weakness each, made the way the real ones were."""

from __future__ import annotations

import random
from functools import lru_cache
from math import gcd, prod

from cryptography.hazmat.primitives.asymmetric import rsa

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


@lru_cache
def close_primes() -> rsa.RSAPrivateKey:
    """Two neighbouring primes: CVE-2022-26320."""
    rng = random.Random(1)
    p = _next_prime((3 << 1022) | rng.getrandbits(1022), rng)
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
