"""Keys that can be computed from their public half are told from sound ones."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tasks.core.weak_keys import find_weakness
from tests.core.weak import close_primes, roca
from tests.pki import make_key


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "rsa4096", "rsa2048-e3"])
def test_a_sound_key_has_no_weakness(kind: str) -> None:
    """Freshly made keys pass."""
    key = make_key(kind)
    assert isinstance(key, rsa.RSAPrivateKey)
    assert find_weakness(key.public_key().public_numbers().n) is None


@pytest.mark.parametrize(("make", "words"), [(close_primes, "close to each other"), (roca, "ROCA")])
def test_a_known_weakness_is_named(make: Callable[[], rsa.RSAPrivateKey], words: str) -> None:
    """Each with its CVE, for the customer's own research."""
    weakness = find_weakness(make().public_key().public_numbers().n)
    assert weakness is not None
    assert words in weakness
    assert "CVE-" in weakness


@pytest.mark.parametrize("factor", [2, 3, 257, 509, 997])
def test_a_small_factor_is_found(factor: int) -> None:
    """A modulus that a child could divide is no modulus."""
    modulus = factor * (random.Random(factor).getrandbits(2040) | 1)
    assert find_weakness(modulus) == "has a small prime factor"


@pytest.mark.parametrize("modulus", [0, 1, 4, 2**2048, (2**521 - 1) ** 2])
def test_a_number_that_is_no_modulus_is_weak(modulus: int) -> None:
    """Nothing a key file may hold breaks the tests, or passes them by being degenerate."""
    assert find_weakness(modulus)
