"""What a case of the corpus is, and the authorities and good certificates that all cases share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography import x509

from tasks.core.certificate import Terms, Verdict, judge
from tasks.core.model import Hostname
from tasks.core.text import printable
from tests.corpus import craft
from tests.pki import CA, Issued, make_key

NOW = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SHOP = Hostname("shop.example.test")
WWW = "www.example.test"

PASSPHRASE = b"open-sesame-7"

Files = dict[str, bytes]


class Lab:
    """Authorities and good certificates, each made once. Everybody but the strangers is trusted."""

    def __init__(self) -> None:
        self._published: dict[str, x509.Certificate] = {}

    @cached_property
    def root(self) -> CA:
        return CA("Example Root", now=NOW)

    @cached_property
    def middle(self) -> CA:
        return self.root.intermediate("Example Intermediate")

    @cached_property
    def good(self) -> Issued:
        return self.middle.issue([SHOP, WWW])

    @cached_property
    def rsa(self) -> Issued:
        """A good certificate for an RSA key."""
        return self.middle.issue([SHOP, WWW], key="rsa2048")

    @cached_property
    def other(self) -> Issued:
        """A good certificate of another site with another key."""
        return self.middle.issue(["other.example.test"])

    @cached_property
    def high(self) -> CA:
        return self.root.intermediate("Example High")

    @cached_property
    def low(self) -> CA:
        return self.high.intermediate("Example Low")

    @cached_property
    def deep(self) -> Issued:
        """A leaf below two intermediates."""
        return self.low.issue([SHOP])

    @cached_property
    def rsa_root(self) -> CA:
        return CA("Example RSA Root", key=make_key("rsa2048", 1), now=NOW)

    @cached_property
    def rsa_middle(self) -> CA:
        return self.rsa_root.intermediate("Example RSA Intermediate", key=make_key("rsa2048", 2))

    @cached_property
    def stranger(self) -> CA:
        return CA("Stranger Root", now=NOW)

    @cached_property
    def strange_middle(self) -> CA:
        return self.stranger.intermediate("Stranger Intermediate")

    @cached_property
    def sha1_root(self) -> CA:
        return CA("Example Oldest Root", key=make_key("rsa2048", 4), now=NOW, sha1=True)

    @cached_property
    def modern_root(self) -> CA:
        return CA("Example Modern Root", key="ed25519", now=NOW)

    def logged(self, *names: str, **wanted: Any) -> Issued:
        """Issue a leaf as a public authority does, with the proof that it was logged."""
        return self.middle.issue(names or (SHOP,), **{**wanted, "extra": [logged_twice(), *wanted.get("extra", [])]})

    def forged(self, issued: Issued | None = None, **changed: bytes | None) -> Files:
        """Give the files of *issued* (the good one) with parts of its leaf exchanged, signed anew."""
        return craft.forged_files(self.middle, issued or self.good, **changed)

    def extended(self, *added: bytes, drop: tuple[str, ...] = ()) -> Files:
        """Give the good files with extensions of the leaf added or dropped."""
        return self.forged(extensions=craft.extensions(self.good.leaf, *added, drop=drop))

    def publish(self, authority: CA) -> CA:
        """Offer an authority's certificate for download; the last one of a name counts, as on a web page."""
        self._published[authority.name.rfc4514_string()] = authority.certificate
        return authority

    def download(self, text: str) -> x509.Certificate:
        """Give the certificate of the authority whose name, as messages show it, is in *text*."""
        for authority in (self.middle, self.high, self.low, self.rsa_middle, self.stranger, self.strange_middle):
            self._published.setdefault(authority.name.rfc4514_string(), authority.certificate)
        return next(found for name, found in self._published.items() if printable(name) in text)

    @property
    def terms(self) -> Terms:
        roots = [root.certificate for root in (self.root, self.rsa_root, self.sha1_root, self.modern_root)]
        return Terms(roots=roots, public_trust=False, now=NOW, hostname=SHOP)


def logged_twice() -> x509.UnrecognizedExtension:
    """Two signed certificate timestamps of invented logs: nothing here checks their signatures."""
    scts = b""
    for log in (b"A", b"B"):
        sct = b"\0" + log * 32 + (1_782_000_000_000).to_bytes(8, "big") + b"\0\0" + b"\x04\x03" + b"\0\x08" + bytes(8)
        scts += len(sct).to_bytes(2, "big") + sct
    return x509.UnrecognizedExtension(
        x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2"), craft.octets(len(scts).to_bytes(2, "big") + scts)
    )


Change = Callable[[Lab], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """
    What a customer sent, and what must be said about it.

    Attributes:
        name: The defect, in words.

        files: Makes the files; called once a session.

        code: The first finding's code; None where the files must be accepted.

        notes: Of an accepted case: the codes of all findings, sorted.

        change: The fields of the terms that differ from `Lab.terms`.

        passphrase: What the customer types when a command asks.
    """

    name: str
    files: Callable[[Lab], Files] = field(repr=False)
    code: str | None = None
    notes: tuple[str, ...] = ()
    change: Change = field(repr=False, default=lambda lab: {})
    passphrase: bytes = PASSPHRASE

    def terms(self, lab: Lab) -> Terms:
        return replace(lab.terms, **self.change(lab))

    def judge(self, lab: Lab) -> Judged:
        files, terms = self.files(lab), self.terms(lab)
        return Judged(self, files, terms, judge(files, terms))


@dataclass(frozen=True)
class Judged:
    """A case with its files as made this time, and the verdict on them."""

    case: Case
    files: Files = field(repr=False)
    terms: Terms = field(repr=False)
    verdict: Verdict = field(repr=False)

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes of all findings, as they come."""
        return tuple(finding.code for finding in self.verdict.findings)

    @property
    def as_expected(self) -> bool:
        if self.case.code is None:
            return self.verdict.bundle is not None and tuple(sorted(set(self.codes))) == self.case.notes
        return self.verdict.bundle is None and self.codes[0] == self.case.code


def accepted(name: str, files: Callable[[Lab], Files], *notes: str, change: Change = lambda lab: {}) -> Case:
    """A case that must pass, with exactly these *notes* (and warnings)."""
    return Case(name, files, None, tuple(sorted(notes)), change)


def refused(name: str, code: str, files: Callable[[Lab], Files], change: Change = lambda lab: {}) -> Case:
    """A case that must not pass, and whose first finding is *code*."""
    return Case(name, files, code, (), change)


def asked(hostname: str | None, **more: Any) -> Change:
    """Ask for another hostname than the shop's."""
    return lambda lab: {"hostname": hostname and Hostname(hostname), **more}


def public(lab: Lab) -> dict[str, Any]:
    """Judge by the rules of public authorities."""
    return {"public_trust": True}


def leaf(*names: str, **wanted: Any) -> Callable[[Lab], Files]:
    """Give the files of one more leaf; the keywords are those of `CA.issue`."""
    return lambda lab: lab.middle.issue(names or (SHOP,), **wanted).files()
