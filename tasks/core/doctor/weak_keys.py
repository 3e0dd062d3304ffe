"""
RSA moduli that can be factored, and private numbers that can be guessed.

Each test takes less than 2 ms for a modulus of up to 4096 bits. A number is called irregular where a sound generator
would give it once in 2**64 keys at most: whoever made it did not draw it at random, so somebody else may make it too.

Not here: lists of keys that became public, for which `Rules.blocked_keys` is the place; the sizes and exponents, which
are in `policy` (the exponent 65537 leaves no room for Wiener's attack on a small private exponent); and whether the
numbers of a private key belong together, which `private_key` shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from math import comb, gcd, isqrt, prod
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa

_FERMAT_ROUNDS: Final = 100  # CVE-2022-26320: the affected printers' keys fall in the first few
_SMALL_PRIMES_UP_TO: Final = 65537  # a damaged modulus is a random number: 19 of 20 have a factor as small
_ROCA_PRIMES_UP_TO: Final = 167  # CVE-2017-15361: the primes that every affected key size has in common
_WORD_BITS: Final = (8, 16, 24, 32, 48, 64, 96, 128)
_SHARED_PRIMES: Final = Path(__file__).parent / "shared_primes"
_REPEATS: Final = tuple(re.compile(rb"(.{%d})\1{%d}" % (size, 16 // size), re.DOTALL) for size in (1, 2, 4, 8, 16))
_CHANCE_BITS: Final = 64  # less likely than once in 2**64 keys is no chance
_SIGMAS: Final = 10  # so many standard deviations off the middle is less likely than that
_PRIMES_APART_BITS: Final = 100  # FIPS 186-5 A.1.3: |p - q| > 2**(bits / 2 - 100)
_SMALLEST_SHARE: Final = 4  # of the modulus's bits; python-rsa makes primes of 15 and 17 thirty-seconds


def find_weakness(modulus: int) -> str | None:
    """Give the reason why an RSA *modulus* is weak, as the end of "the RSA key ...", or None."""
    return next((reason for is_weak, reason in _WEAKNESSES if is_weak(modulus)), None)


def find_private_weakness(numbers: rsa.RSAPrivateNumbers | ec.EllipticCurvePrivateNumbers) -> str | None:
    """
    Give the reason why a private key can be guessed, as the end of "the private key ...", or None.

    Args:
        numbers: Of a key that OpenSSL loaded, so that they belong together: ``key.private_numbers()``.
    """
    if isinstance(numbers, rsa.RSAPrivateNumbers):
        return _find_weak_primes(numbers.p, numbers.q)
    return _find_weak_scalar(numbers.private_value, numbers.public_numbers.curve)


def _has_small_factor(modulus: int) -> bool:
    """Tell whether *modulus* has a prime factor of up to 16 bits, or is 0 or 1."""
    return modulus < 2 or gcd(_small_primorial(), modulus) != 1


def _is_square(modulus: int) -> bool:
    return isqrt(modulus) ** 2 == modulus


def _has_close_primes(modulus: int) -> bool:
    """
    Tell whether Fermat's method finds modulus = a^2 - b^2 near a = sqrt(modulus).

    Source:
        H. Böck, Fermat attack on RSA (2022), CVE-2022-26320.
    """
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

    Source:
        M. Nemec et al., The Return of Coppersmith's Attack (ACM CCS 2017), section 2.
    """
    return all(modulus % prime in powers for prime, powers in _roca_powers())


def _has_shared_prime(modulus: int) -> bool:
    """
    Tell whether *modulus* has a prime factor that another public key was found to have.

    Source:
        N. Heninger et al., Mining your Ps and Qs (USENIX Security 2012); the primes are those of badkeys,
        see ``shared_primes/README.md``.
    """
    return gcd(_shared_primes(modulus.bit_length()), modulus) != 1


def _is_irregular(number: int) -> bool:
    """
    Tell whether the bits of *number* show that they were not drawn at random.

    Covers generators that fill only a part of each machine word ("short-sleeve" keys, whose factors are those of a
    polynomial), repeat a pattern, or prefer one bit value.

    Source:
        K. Ryan, H. Böck, Factoring "short-sleeve" RSA keys with polynomials (Trail of Bits, 2026).
    """
    return _is_biased(number) or _repeats_bytes(number) or any(_agrees_by_words(number, width) for width in _WORD_BITS)


def _is_biased(number: int) -> bool:
    """Tell whether far more, or fewer, than half of the bits are set."""
    bits = number.bit_length()
    return (2 * number.bit_count() - bits) ** 2 > _SIGMAS**2 * bits


def _repeats_bytes(number: int) -> bool:
    """Tell whether 16 bytes follow from those before them by repetition."""
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return any(pattern.search(data) for pattern in _REPEATS)


def _agrees_by_words(number: int, width: int) -> bool:
    """
    Tell whether the words of *width* bits agree in more places than chance allows.

    The lowest word is left out, because the search for the next prime changes it, and so is the highest.
    """
    size = width // 8
    data = number.to_bytes((number.bit_length() + 7) // 8, "little")
    words = [int.from_bytes(data[at : at + size], "little") for at in range(size, len(data) - size, size)]
    if len(words) < 2:
        return False
    differing = 0
    for word in words:
        differing |= word ^ words[0]
    agreeing = width - differing.bit_count()
    return comb(width, agreeing) << _CHANCE_BITS <= 1 << (agreeing * (len(words) - 1))


_WEAKNESSES: Final[Sequence[tuple[Callable[[int], bool], str]]] = (
    (_has_small_factor, "has a small prime factor"),
    (_is_square, "is the square of one number"),
    (_has_close_primes, "is the product of two primes close to each other (CVE-2022-26320)"),
    (
        _looks_like_roca,
        "was made by a chip that makes keys which can be computed from the certificate (ROCA, CVE-2017-15361)",
    ),
    (_is_irregular, "was not made at random: its bits follow a pattern"),
    (_has_shared_prime, "has a prime factor in common with a key that is already broken"),
)


def _find_weak_primes(p: int, q: int) -> str | None:
    """
    Give the reason why the primes of an RSA key can be guessed or found.

    Source:
        FIPS 186-5 appendix A.1, but for the lengths of the primes, which need not be equal: the elliptic curve method
        finds only short ones.
    """
    bits = (p * q).bit_length()
    if min(p, q).bit_length() < bits // _SMALLEST_SHARE:
        return "has a prime factor that is too short"
    if abs(p - q).bit_length() <= bits // 2 - _PRIMES_APART_BITS:
        return "has two primes close to each other"
    if _is_irregular(p) or _is_irregular(q):
        return "was not made at random: the bits of a prime follow a pattern"
    return None


def _find_weak_scalar(scalar: int, curve: ec.EllipticCurve) -> str | None:
    """
    Give the reason why an EC private key can be guessed or found.

    Source:
        A. Bednarek, Ethercombing (Independent Security Evaluators, 2019): keys with few bits are in use;
        J. Pollard, Monte Carlo methods for index computation (1978): what finds them, from either end of the range.
    """
    few_bits = 1 << (curve.group_order.bit_length() - _CHANCE_BITS)
    if min(scalar, curve.group_order - scalar) < few_bits or scalar % (1 << _CHANCE_BITS) == 0:
        return "is too small a number"
    return "was not made at random: its bits follow a pattern" if _is_irregular(scalar) else None


@cache
def _primes(up_to: int) -> tuple[int, ...]:
    sieve = bytearray([1]) * (up_to + 1)
    for n in range(2, isqrt(up_to) + 1):
        if sieve[n]:
            sieve[n * n :: n] = bytes(len(range(n * n, up_to + 1, n)))
    return tuple(n for n in range(2, up_to + 1) if sieve[n])


@cache
def _small_primorial() -> int:
    return prod(_primes(_SMALL_PRIMES_UP_TO))


@cache
def _roca_powers() -> tuple[tuple[int, frozenset[int]], ...]:
    return tuple((p, frozenset(pow(65537, exponent, p) for exponent in range(p))) for p in _primes(_ROCA_PRIMES_UP_TO))


@cache
def _shared_primes(bits: int) -> int:
    """Give the product of the known shared primes of moduli of *bits* bits, 1 where there is none."""
    data = _SHARED_PRIMES / f"{bits}.bin"
    return int.from_bytes(data.read_bytes(), "big") if data.exists() else 1
