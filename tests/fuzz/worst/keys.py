"""Keys whose numbers take long to load, to test or to derive; and very many keys."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import isqrt
from typing import Final

from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.fuzz import forge
from tests.fuzz.worst.case import FULL, SHOP_NAME, YML, Files, Worst, many, pem

_DSA: Final = "1.2.840.10040.4.1"
_DH: Final = "1.2.840.113549.1.3.1"


def noise(seed: int, bits: int) -> int:
    """Give an odd number of exactly so many bits."""
    return random.Random(seed).getrandbits(bits) | 1 << bits - 1 | 1


def scalar(seed: int = 1) -> int:
    return random.Random(seed).randrange(1 << 250, 1 << 255)


def ec_key(seed: int = 1) -> bytes:
    return armour("PRIVATE KEY", craft.ec_private(scalar(seed)))


def _rsa(bits: int, exponent: int = 65537) -> Files:
    n = noise(bits, bits)
    spki = craft.rsa_public(n, exponent)
    leaf = forge.certificate(SHOP_NAME, SHOP_NAME, spki, forge.unsigned(spki, forge.RSA_SHA256, bytes(bits // 8)))
    key = armour("RSA PRIVATE KEY", craft.rsa_private(n, exponent))
    return {"ssl.key": key, "ssl.crt": pem(leaf), **YML}


def _rsa_of(n: int, p: int, q: int, d: int = 3) -> Files:
    return {"ssl.key": armour("RSA PRIVATE KEY", craft.rsa_private(n, 65537, d, p, q)), **YML}


def _long_prime() -> int:
    """Give a prime of 4096 bits that took nobody here an hour: RFC 3526, group 16."""
    return 2**4096 - 2**4032 - 1 + 2**64 * (_pi(3966) + 240904)


def _pi(bits: int) -> int:
    """Give pi times 2 ** *bits*, by Machin's formula."""
    one = 1 << bits + 64

    def arctan_of_one_by(x: int) -> int:
        total, power, n = 0, one // x, 1
        while power:
            total += power // n if n % 4 == 1 else -(power // n)
            power, n = power // (x * x), n + 2
        return total

    return 4 * (4 * arctan_of_one_by(5) - arctan_of_one_by(239)) >> 64


def _without_small_factors(seed: int, bits: int) -> int:
    """Give a number that no trial division finds to be composite."""
    small = [p for p in range(3, 20_000, 2) if all(p % d for d in range(3, isqrt(p) + 1, 2))]
    number = noise(seed, bits)
    residues = {p: number % p for p in small}
    return number + next(s for s in range(0, 1 << 20, 2) if all((r + s) % p for p, r in residues.items()))


def _huge_primes(bits: int) -> Files:
    p, q = _without_small_factors(2, bits), _without_small_factors(3, bits)
    return _rsa_of(noise(1, 2048), p, q, p * q)


def _twice_the_prime() -> Files:
    prime = _long_prime()
    return _rsa_of(prime, prime, prime)


def _product_of_long_and_short() -> Files:
    """A modulus of the right size: a very long prime, of which OpenSSL makes sure, and one of 23 bits."""
    long, short = 2**3217 - 1, 8388593  # the former is Mersenne's
    middle = 4096 - 3217 - 23
    return _rsa_of(long * short << middle | 1, long, short)


def _ten_rsa_keys() -> Files:
    keys = [craft.rsa_private(noise(i, 4096), 65537, 3, noise(i, 2048), noise(-i, 2048)) for i in range(10)]
    return {f"{i}.key": armour("RSA PRIVATE KEY", key) for i, key in enumerate(keys)} | YML


def _of_a_modular_group(dotted: str, bits: int, *, subgroup: bool) -> Files:
    """Ten PKCS#8 keys of DSA or DH, whose public halves take a long exponentiation to find."""

    def key(n: int) -> bytes:
        numbers = [noise(n, bits), *([noise(n, 256)] if subgroup else []), 2]
        algorithm = craft.sequence(craft.oid(dotted), craft.sequence(*(craft.integer(x) for x in numbers)))
        private = craft.octets(craft.integer(noise(n, 255 if subgroup else bits - 2)))
        return craft.sequence(craft.integer(0), algorithm, private)

    return {f"{n}.key": armour("PRIVATE KEY", key(n)) for n in range(10)} | YML


def _thousand_ec_keys() -> Files:
    keys = [ec_key(n) for n in range(1000)]
    each = FULL // len(keys[0])
    return {f"{at}.key": b"".join(keys[at : at + each]) for at in range(0, len(keys), each)} | YML


def _least_key(n: int) -> bytes:
    """Give the shortest PEM block that is taken for a private key, a different one for each *n*."""
    der = craft.sequence(craft.tlv(2), craft.tlv(0x30), craft.octets(n.to_bytes(3, "big")))
    return b"--BEGIN A--\n" + armour("A", der).splitlines()[1] + b"\nEND A\n"


def _least_keys(files: int) -> Files:
    each = FULL // len(_least_key(0))
    return many(lambda f: b"".join(_least_key(f * each + n) for n in range(each)), files, "{}.key")


def cases() -> Iterator[Worst]:
    for bits in (16_384, 190_000):
        yield Worst(f"RSA of {bits:,} bits, key and certificate", lambda bits=bits: _rsa(bits))  # type: ignore[misc]
    yield Worst("RSA of 3,072 bits, the exponent as long", lambda: _rsa(3072, noise(7, 3071)))
    yield Worst("RSA of 16,384 bits, the exponent of 64", lambda: _rsa(16_384, noise(7, 64)))
    yield Worst("RSA of 2,048 bits, primes of 8,192", lambda: _huge_primes(8192))
    yield Worst("RSA of 2,048 bits, primes of 60,000", lambda: _huge_primes(60_000))
    yield Worst("RSA of 4,096 bits, both primes are the modulus", _twice_the_prime)
    yield Worst("RSA of 4,096 bits, primes of 3,217 and 23", _product_of_long_and_short)
    yield Worst("10 RSA keys", _ten_rsa_keys)
    yield Worst("10 DSA keys of 4,096 bits", lambda: _of_a_modular_group(_DSA, 4096, subgroup=True))
    yield Worst("10 DSA keys of 7,500 bits", lambda: _of_a_modular_group(_DSA, 7500, subgroup=True))
    yield Worst("10 Diffie-Hellman keys of 7,500 bits", lambda: _of_a_modular_group(_DH, 7500, subgroup=False))
    yield Worst("1,000 EC keys", _thousand_ec_keys)
    for count in (1, 4, 99):
        yield Worst(f"{count} files of the shortest keys", lambda count=count: _least_keys(count))  # type: ignore[misc]
