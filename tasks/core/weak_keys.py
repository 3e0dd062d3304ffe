"""RSA moduli that can be factored. Each test takes well under a millisecond."""

from __future__ import annotations

from functools import cache
from math import gcd, isqrt, prod
from typing import Final

_FERMAT_ROUNDS: Final = 100  # CVE-2022-26320: the affected printers' keys fall in the first few
_SMALL_PRIMES_BELOW: Final = 1000
_ROCA_PRIMES_UP_TO: Final = 167  # CVE-2017-15361: the primes that every affected key size has in common


def find_weakness(modulus: int) -> str | None:
    """Give the reason why an RSA *modulus* is weak, as the end of "the RSA key ...", or None."""
    if gcd(modulus, _small_primorial()) != 1:
        return "has a small prime factor"
    if _has_close_primes(modulus):
        return "is the product of two primes close to each other (CVE-2022-26320)"
    if _looks_like_roca(modulus):
        return "was made by a chip that makes keys which can be computed from the certificate (ROCA, CVE-2017-15361)"
    return None


def _has_close_primes(modulus: int) -> bool:
    """Fermat's method: look for modulus = a^2 - b^2 near a = sqrt(modulus)."""
    middle = isqrt(modulus - 1) + 1
    for candidate in range(middle, middle + _FERMAT_ROUNDS):
        square = candidate * candidate - modulus
        if isqrt(square) ** 2 == square:
            return True
    return False


def _looks_like_roca(modulus: int) -> bool:
    """
    Tell whether *modulus* is a power of 65537 modulo every small prime.

    Affected primes are k * M + (65537 ** a mod M) with M a product of small primes, so their
    product is such a power modulo each of them; a sound key is with a chance of 2 ** -27 at most.
    """
    return all(modulus % prime in powers for prime, powers in _roca_powers())


@cache
def _primes(below: int) -> tuple[int, ...]:
    return tuple(n for n in range(2, below) if all(n % d for d in range(2, isqrt(n) + 1)))


@cache
def _small_primorial() -> int:
    return prod(_primes(_SMALL_PRIMES_BELOW))


@cache
def _roca_powers() -> tuple[tuple[int, frozenset[int]], ...]:
    primes = _primes(_ROCA_PRIMES_UP_TO + 1)
    return tuple((p, frozenset(pow(65537, exponent, p) for exponent in range(p))) for p in primes)
