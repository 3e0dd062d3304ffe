"""Keys that can be computed or guessed are told from sound ones."""

from __future__ import annotations

import random
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tasks.core.doctor import weak_keys
from tasks.core.doctor.weak_keys import find_private_weakness, find_weakness
from tests.core.weak import WEAK_MODULI, WEAK_PRIVATE, vanity
from tests.pki import make_key

_REASONS = {
    "close primes": "is the product of two primes close to each other (CVE-2022-26320)",
    "ROCA": "was made by a chip that makes keys which can be computed from the certificate (ROCA, CVE-2017-15361)",
    "square": "is the square of one number",
    "small factor": "has a small prime factor",
    "damaged": "has a small prime factor",
    "near primes": "has two primes close to each other",
    "lopsided": "has a prime factor that is too short",
    "patterned primes": "was not made at random: the bits of a prime follow a pattern",
    "scalar 1": "is too small a number",
    "scalar of 64 bits": "is too small a number",
    "scalar near the end": "is too small a number",
    "scalar with zeros behind": "is too small a number",
}
_PATTERN = "was not made at random: its bits follow a pattern"


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "rsa4096", "rsa2048-e3", "ec256", "ec384", "ec521"])
def test_a_sound_key_has_no_weakness(kind: str) -> None:
    """Freshly made keys pass."""
    key = make_key(kind)
    assert isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    if isinstance(key, rsa.RSAPrivateKey):
        assert find_weakness(key.public_key().public_numbers().n) is None
    assert find_private_weakness(key.private_numbers()) is None


@pytest.mark.parametrize("kind", WEAK_MODULI)
def test_a_weak_modulus_is_named_by_its_weakness(kind: str) -> None:
    """With its CVE where it has one, for the customer's own research."""
    assert find_weakness(WEAK_MODULI[kind]()) == _REASONS.get(kind, _PATTERN)


@pytest.mark.parametrize("kind", WEAK_PRIVATE)
def test_a_weak_private_number_is_named_by_its_weakness(kind: str) -> None:
    """What the public half does not show, the private one does."""
    numbers = WEAK_PRIVATE[kind]()
    assert find_private_weakness(numbers) == _REASONS.get(kind, _PATTERN)
    if isinstance(numbers, rsa.RSAPrivateNumbers):
        assert find_weakness(numbers.public_numbers.n) is None, "the modulus would have told"


@pytest.mark.parametrize("factor", [2, 3, 257, 509, 997, 65537])
def test_a_small_factor_is_found(factor: int) -> None:
    """A modulus that a child could divide is no modulus."""
    modulus = factor * (random.Random(factor).getrandbits(2030) | 1)
    assert find_weakness(modulus) == "has a small prime factor"


@pytest.mark.parametrize("modulus", [0, 1, 2, 3, 4, 2**2048, 2**2048 - 1, (2**521 - 1) ** 2])
def test_a_number_that_is_no_modulus_is_weak(modulus: int) -> None:
    """Nothing a key file may hold breaks the tests, or passes them by being degenerate."""
    assert find_weakness(modulus)


def test_a_prime_of_a_broken_key_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys that share a prime are both broken, and which primes were shared is known."""
    key = make_key("rsa2048")
    assert isinstance(key, rsa.RSAPrivateKey)
    product = 3 * key.private_numbers().p
    monkeypatch.setattr(weak_keys, "_shared_primes", lambda bits: product if bits == 2048 else 1)
    modulus = key.public_key().public_numbers().n
    assert find_weakness(modulus) == "has a prime factor in common with a key that is already broken"


def test_a_key_with_a_company_in_its_modulus_is_sound_where_it_is_short() -> None:
    """A few chosen bytes, as some chips put in front, are no pattern."""
    assert find_weakness(vanity(b"\xca\xfe\xba\xbe" * 2).public_key().public_numbers().n) is None


def test_random_numbers_are_not_irregular() -> None:
    """Four thousand numbers of each size, from a fixed seed, show no pattern."""
    rng = random.Random(2026)
    for bits in (256, 384, 521, 1024, 2048):
        for _ in range(800 if bits > 1000 else 4000):
            number = rng.getrandbits(bits) | 1 << (bits - 1)
            assert not weak_keys._is_irregular(number), hex(number)


def test_primes_of_unequal_length_are_sound() -> None:
    """The library rsa for Python makes a prime of 1088 and one of 960 bits on purpose."""
    rng = random.Random(1)
    p, q = (rng.getrandbits(bits) | 1 | 1 << (bits - 1) for bits in (1088, 960))
    assert weak_keys._find_weak_primes(p, q) is None


@pytest.mark.parametrize("kind", ["rsa2048", "rsa4096"])
def test_a_key_is_judged_in_milliseconds(kind: str) -> None:
    """Less than 2 ms each of the six tests of a modulus; the limit leaves a busy machine thrice the time."""
    key = make_key(kind)
    assert isinstance(key, rsa.RSAPrivateKey)
    find_weakness(key.public_key().public_numbers().n)
    began = time.process_time()
    find_weakness(key.public_key().public_numbers().n)
    find_private_weakness(key.private_numbers())
    assert time.process_time() - began < 6 * 6 / 1000
