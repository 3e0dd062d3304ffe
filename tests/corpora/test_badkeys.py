"""A second judge of keys: where badkeys and we differ, the reason is on record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from tasks.core.doctor import weak_keys
from tests.core.weak import WEAK_MODULI, WEAK_PRIVATE
from tests.corpora import second_judge, shared_primes
from tests.corpora.second_judge import EXPLAINED, SOUND, Opinion


def test_every_disagreement_is_explained(tell: Callable[[object], None]) -> None:
    """None of some thousand keys is sound to one and weak to the other without a reason, and no reason is idle."""
    differing: Counter[tuple[str, str]] = Counter()
    for place, found in second_judge.opinions().items():
        here = second_judge.disagreements(found)
        tell(f"badkeys, {place}: {len(found)} keys, {here.total()} disagreements {dict(here)}")
        assert second_judge.unexplained(found) == [], f"{place}: {len(found)} keys"
        assert len(found) > 10, place
        differing += here
    assert set(EXPLAINED) == set(differing)


def test_every_weak_key_of_ours_is_refused() -> None:
    """By us each of them, and by badkeys those whose modulus shows it, but for a pattern that it does not look for."""
    found = {opinion.name: opinion for opinion in second_judge.on_weak_keys()}
    assert [name for name in (*WEAK_MODULI, *WEAK_PRIVATE) if found[name].ours == SOUND] == []
    assert [name for name in WEAK_MODULI if found[name].theirs == SOUND] == ["vanity"]


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "rsa4096", "ec256", "ec384"])
def test_a_fresh_key_of_an_accepted_kind_is_sound_to_both(kind: str) -> None:
    """What we tell customers to make, nobody objects to."""
    assert Opinion(kind, SOUND, SOUND) in second_judge.on_fresh_keys()


@pytest.mark.parametrize("bits", shared_primes.SIZES)
def test_the_shared_primes_are_those_of_badkeys(bits: int) -> None:
    """Ours are made from the installed badkeys; after its upgrade they are made again."""
    ours = weak_keys._shared_primes(bits)
    assert ours == shared_primes.product_of_badkeys(bits), "run python -m tests.corpora.shared_primes"
