"""What the judge answers to files of other people, and how that is counted."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

import certifi
from cryptography import x509

from tasks.core.certificate import Terms, judge, load_roots
from tests.pki import DOTCLOUD_YML

NOW: Final = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
MOST_KEY_BYTES: Final = 5000  # a key file that the tests themselves load: RSA-8192 would take OpenSSL eight seconds
_CODE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_LONGEST_SECONDS: Final = 2.0  # of processor time, for one hand-over


@dataclass(frozen=True)
class Answer:
    """
    What the judge said to some files.

    Attributes:
        codes: Of the findings, the refusing ones first.

        error: What it raised, which it must not.
    """

    name: str
    accepted: bool = False
    codes: tuple[str, ...] = ()
    error: str = ""
    seconds: float = 0.0

    @property
    def fault(self) -> str:
        """Why this is no answer; empty where it is one."""
        if self.error:
            return f"{self.name}: raised {self.error}"
        if not (self.codes or self.accepted):
            return f"{self.name}: refused without a finding"
        if odd := [code for code in self.codes if not _CODE.fullmatch(code)]:
            return f"{self.name}: no codes: {odd}"
        return f"{self.name}: took {self.seconds:.1f} s" if self.seconds > _LONGEST_SECONDS else ""


@dataclass(frozen=True)
class Survey:
    """The answers to all of one area."""

    area: str
    answers: tuple[Answer, ...] = field(repr=False)

    @property
    def faults(self) -> list[str]:
        return [answer.fault for answer in self.answers if answer.fault]

    @property
    def accepted(self) -> list[str]:
        return sorted(answer.name for answer in self.answers if answer.accepted)

    @property
    def first_codes(self) -> Counter[str]:
        return Counter(answer.codes[0] for answer in self.answers if answer.codes)

    def __str__(self) -> str:
        codes = ", ".join(f"{code} {count}" for code, count in self.first_codes.most_common())
        return f"{self.area}: {len(self.answers)} judged, {len(self.accepted)} accepted; first findings: {codes}"


def ask(name: str, files: Mapping[str, bytes], terms: Terms) -> Answer:
    """Have *files* judged, beside a good ``dotcloud.yml``."""
    began = time.process_time()
    try:
        verdict = judge({"dotcloud.yml": DOTCLOUD_YML, **files}, terms)
    except Exception as error:  # noqa: BLE001  # that it raises nothing is what is asked
        return Answer(name, error=repr(error))
    codes = tuple(finding.code for finding in verdict.findings)
    return Answer(name, verdict.accepted, codes, seconds=time.process_time() - began)


@cache
def public_terms() -> Terms:
    """Give the terms of a public hand-over for any name, today."""
    return Terms(load_roots(Path(certifi.where()).read_bytes()), public_trust=True, now=NOW)


def private_terms(roots: Sequence[x509.Certificate], now: datetime) -> Terms:
    """Give the terms of an installation that trusts *roots* of its own: fewer rules, so more may pass."""
    return Terms(roots, public_trust=False, now=now)


def ask_alone(area: str, base: Path, paths: Iterable[Path]) -> Survey:
    """Hand over each of *paths* by itself under its own name, as somebody who does not know what to send."""
    terms = public_terms()
    answers = (ask(str(path.relative_to(base)), {path.name: path.read_bytes()}, terms) for path in paths)
    return Survey(area, tuple(answers))


def files_below(directory: Path) -> Iterator[Path]:
    return (path for path in sorted(directory.rglob("*")) if path.is_file())
