"""Every key and certificate of OpenSSL's own tests is answered, and `openssl verify` is a second judge of paths."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.corpora import openssl
from tests.corpora.fetch_openssl import OPENSSL

pytestmark = pytest.mark.skipif(not OPENSSL.exists(), reason="OpenSSL's test files are not here: make corpora")


def test_every_file_alone_is_answered_and_refused(tell: Callable[[object], None]) -> None:
    """Whatever a customer sends by itself, the judge raises nothing and says what is wrong."""
    survey = openssl.alone()
    tell(survey)
    assert survey.faults == [], survey
    assert survey.accepted == [], survey
    assert len(survey.answers) > 500, survey


def test_only_good_pairs_are_accepted(tell: Callable[[object], None]) -> None:
    """With the issuer trusted, a leaf gets through with its key if it is a server's, and it is known which are."""
    survey = openssl.pairs()
    tell(survey)
    assert survey.faults == [], survey
    assert [name for name in survey.accepted if name not in openssl.ACCEPTED] == [], survey
    assert [name for name in openssl.accepted_here() if name not in survey.accepted] == [], survey


def test_a_path_is_answered_as_by_openssl(tell: Callable[[object], None]) -> None:
    """What it refuses is refused and what it accepts is accepted, but where the reason is on record; none is idle."""
    answers, differing = openssl.verified(), openssl.differing()
    tell(f"openssl verify: {len(answers)} paths, {len(differing)} disagreements")
    assert [answer.fault for answer in answers.values() if answer.fault] == []
    assert {name: accepted for name, accepted in differing.items() if name not in openssl.EXPLAINED} == {}
    known = {verification.name for verification in answers}
    assert {name for name in openssl.EXPLAINED if name in known} <= set(differing)
    assert len(answers) > 50
