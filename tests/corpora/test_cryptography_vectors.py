"""Every key and certificate of cryptography-vectors is answered, PKITS among them, and none gets through that should not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.corpora import pkits, vectors
from tests.corpora.pkits import SECTIONS

_NO_SERVER = {"no-names", "leaf-missing", "chain-invalid"}
_FAULTS_OF_A_PATH = ("chain-", "expired", "not-yet-valid", "unknown-extension", "signature-algorithm")


@pytest.mark.parametrize("area", vectors.AREAS)
def test_every_file_alone_is_answered_and_refused(area: str, tell: Callable[[object], None]) -> None:
    """Whatever a customer sends by itself, the judge raises nothing and says what is wrong."""
    survey = vectors.alone(area)
    tell(survey)
    assert survey.faults == [], survey
    assert survey.accepted == [], survey
    assert len(survey.answers) >= 10, survey


def test_no_pair_of_the_package_is_one_for_a_server(tell: Callable[[object], None]) -> None:
    """Its keys and certificates belong to authorities and to signers of mail, none with a host's name."""
    survey = vectors.pairs()
    tell(survey)
    assert survey.faults == [], survey
    assert survey.accepted == [], survey
    assert len(survey.answers) >= 20, survey


def test_pkits_is_whole() -> None:
    """Each of the 224 tests is found, under the section that it belongs to."""
    tests = pkits.path_tests()
    assert {key: section.tests for key, section in SECTIONS.items()} == {
        key: sum(test.section == key for test in tests) for key in SECTIONS
    }
    assert len({(test.section, test.number) for test in tests}) == 224
    assert [test.name for test in tests if test.leaf is None] == ["ValidDSAParameterInheritanceTest5"]


def test_pkits_leaves_are_refused_as_they_are() -> None:
    """They name no host, or are authorities; and of those that do name one, two are good."""
    answers = pkits.as_they_are().values()
    assert [answer.fault for answer in answers if answer.fault] == []
    assert {answer.name for answer in answers if answer.accepted} == set(pkits.ACCEPTED_AS_THEY_ARE)
    without_a_reason = [answer.name for answer in answers if not answer.accepted and not _NO_SERVER & set(answer.codes)]
    assert without_a_reason == []


def test_pkits_paths_are_answered_as_a_client_would(tell: Callable[[object], None]) -> None:
    """
    Of the leaves made anew for servers, those at the end of a bad path are refused where a TLS client sees the fault.

    That is: signatures, validity, names, basic constraints, path lengths, key usage, DNS constraints, and unknown
    extensions. Those at the end of a good path are accepted, or known with the reason; and what is accepted though
    PKITS calls it invalid is a matter of revocation.
    """
    answers = pkits.as_servers()
    assert [answer.fault for answer in answers.values() if answer.fault] == []
    promised = {test: answer for test, answer in answers.items() if test.promised}
    assert len(promised) == sum(len(section.promised.split()) for section in SECTIONS.values()) == 26
    assert [test.name for test, answer in promised.items() if answer.accepted] == []
    assert [test.name for test, answer in promised.items() if not answer.codes[0].startswith(_FAULTS_OF_A_PATH)] == []
    for key, section in SECTIONS.items():
        good = pkits.numbers_of(key, valid=True, promised=False, accepted=True)
        refused = pkits.numbers_of(key, valid=True, promised=False, accepted=False)
        unseen = pkits.numbers_of(key, valid=False, promised=False, accepted=True)
        tell(f"PKITS {key} {section.title}: {len(good)} valid accepted, refused {refused}; unseen {unseen}")
        assert refused == pkits.explained(key), key
        assert not unseen or "revocation" in section.others, key
