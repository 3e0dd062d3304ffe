"""Write docs/corpora.md: what the judge answers to each corpus. ``python -m tests.corpora > docs/corpora.md``."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version

from tests.corpora import openssl, pkits, second_judge, vectors
from tests.corpora.answers import NOW, Survey
from tests.corpora.fetch_openssl import OPENSSL, openssl_version
from tests.corpora.pkits import SECTIONS, VALID_BUT_REFUSED

_MOST_CODES = 6


def write() -> Iterator[str]:
    """Give the lines of the page."""
    yield from _head()
    yield from _alone()
    yield from _pairs()
    yield from _verifications()
    yield from _pkits()
    yield from _second_judge()


def _head() -> Iterator[str]:
    yield "# Other people's certificates"
    yield ""
    yield "What the judge (`tasks.core.certificate.judge`) answers to the keys and certificates that others test with."
    yield "This page is made, not written: `make corpora; .venv/bin/python -m tests.corpora > docs/corpora.md`."
    yield f"The claims behind it are tests: `pytest tests/corpora`. The judge's clock stands at {NOW:%Y-%m-%d}."
    yield ""
    yield f"- cryptography-vectors {version('cryptography-vectors')}, with NIST's PKITS in it"
    if OPENSSL.exists():
        yield f"- the test files of {openssl_version()}, from the distribution's source package"
    yield f"- badkeys {version('badkeys')}, without its downloaded list of keys"


def _alone() -> Iterator[str]:
    surveys = [vectors.alone(area) for area in vectors.AREAS] + ([openssl.alone()] if OPENSSL.exists() else [])
    yield from _heading(
        "Every file alone", "Each under its own name, with the public roots trusted. Nothing is raised."
    )
    yield from _survey_table(surveys)


def _pairs() -> Iterator[str]:
    surveys = [vectors.pairs()] + ([openssl.pairs()] if OPENSSL.exists() else [])
    words = "Each certificate whose private key is there, too, with every authority of the corpus trusted as a root."
    yield from _heading("Pairs", words)
    yield from _survey_table(surveys)
    if OPENSSL.exists():
        yield ""
        yield from _table(("Accepted", "Why"), openssl.accepted_here().items())


def _survey_table(surveys: Iterable[Survey]) -> Iterator[str]:
    yield from _table(
        ("Area", "Judged", "Faults", "Accepted", "First finding"),
        ((s.area, len(s.answers), len(s.faults), len(s.accepted), _codes(s.first_codes)) for s in surveys),
    )


def _verifications() -> Iterator[str]:
    if not OPENSSL.exists():
        return
    answers, differing = openssl.verified(), openssl.differing()
    about_store = sum(verification.is_about_openssls_store for verification in answers)
    agreeing = sum(answer.accepted == verification.passes for verification, answer in answers.items())
    yield from _heading(
        "`openssl verify`",
        f"Its test 25-test_verify has {len(answers)} calls that a hand-over can be. In {agreeing} we answer alike."
        f" {about_store} are about the notes on trust that OpenSSL keeps with a root: a root is a root to us.",
    )
    yield from _table(
        ("Differing", "We"), ((name, openssl.EXPLAINED.get(name, "**not explained**")) for name in differing)
    )


def _pkits() -> Iterator[str]:
    yield from _heading(
        "PKITS",
        "Each test's path with its leaf made anew for a server, by the same authority. *Seen*: invalid paths that a TLS"
        " client must refuse, and we do. *Not seen*: invalid paths that we accept, and what their faults are about.",
    )
    columns = (
        "Section",
        "Tests",
        "Valid, accepted",
        "Valid, refused",
        "Invalid, seen",
        "Other faults, refused",
        "Not seen",
    )
    yield from _table(columns, (_pkits_row(key) for key in SECTIONS))
    yield ""
    rows = ((f"{key} {tests}", why) for key, reasons in VALID_BUT_REFUSED.items() for why, tests in reasons.items())
    yield from _table(("Valid, but refused", "Why"), rows)
    yield ""
    yield "As they are, without a leaf made anew, all are refused but:"
    yield ""
    yield from _table(("Accepted", "Why"), pkits.ACCEPTED_AS_THEY_ARE.items())


def _pkits_row(key: str) -> tuple[object, ...]:
    unseen = pkits.numbers_of(key, valid=False, promised=False, accepted=True)
    return (
        f"{key} {SECTIONS[key].title}",
        SECTIONS[key].tests,
        len(pkits.numbers_of(key, valid=True, promised=False, accepted=True)),
        len(pkits.numbers_of(key, valid=True, promised=False, accepted=False)),
        len(pkits.numbers_of(key, valid=False, promised=True, accepted=False)),
        len(pkits.numbers_of(key, valid=False, promised=False, accepted=False)),
        f"{' '.join(map(str, unseen))}: {SECTIONS[key].others}" if unseen else "",
    )


def _second_judge() -> Iterator[str]:
    opinions = second_judge.opinions()
    yield from _heading("badkeys", "Our rules for a key alone, and its verdict without its list.")
    yield from _table(
        ("Keys", "Judged", "Differing"),
        ((place, len(found), second_judge.disagreements(found).total()) for place, found in opinions.items()),
    )
    yield ""
    every = [opinion for found in opinions.values() for opinion in found]
    yield from _table(
        ("We say", "badkeys says", "Keys", "Why"),
        (
            (*case, count, second_judge.EXPLAINED.get(case, "**not explained**"))
            for case, count in second_judge.disagreements(every).items()
        ),
    )


def _heading(title: str, words: str) -> Iterator[str]:
    yield from ("", f"## {title}", "", words, "")


def _table(columns: tuple[str, ...], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in row)} |"


def _codes(counts: Mapping[str, int]) -> str:
    """The most frequent codes, and how many others."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = ", ".join(f"{code} {count}" for code, count in ordered[:_MOST_CODES])
    rest = sum(count for _, count in ordered[_MOST_CODES:])
    return f"{shown}, others {rest}" if rest else shown


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.stdout.writelines(f"{line}\n" for line in write())
