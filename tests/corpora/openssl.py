"""The key and certificate files of OpenSSL's own tests, which `make corpora` fetches."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from tests.corpora.answers import NOW, Answer, Survey, ask, ask_alone, files_below, private_terms
from tests.corpora.fetch_openssl import OPENSSL, VERIFICATIONS
from tests.corpora.pairs import Corpus, ask_pair, collect, load_certificates

_OWN_TRUST: Final = re.compile(r"[+-](server|client)Auth|[+-]anyEKU")
_PASSWORDS: Final = (None, b"password", b"12345")
_CALL: Final = re.compile(
    r'ok\((?P<not>!?)verify\("(?P<cert>[^"]+)",\s*"(?P<purpose>\w*)",\s*\[(?P<trusted>[^\]]*)\],\s*\[(?P<untrusted>[^\]]*)\]'
    r'(?P<options>[^)]*)\),\s*"(?P<words>[^"]+)"\)'
)


ACCEPTED: Final = {
    "apps/server.pem": "RSA-2048 for server.example",
    "demos/bio/server.pem": "RSA-2048 for localhost",
    "test/certs/alt1-cert.pem": "for www.good.org; no purpose is named, which a private authority may do",
    "test/certs/alt2-cert.pem": "for www.anything.org; likewise",
    "test/certs/alt3-cert.pem": "for www.ok.good.com; likewise",
    "test/certs/badalt3-cert.pem": "for www.good.org; what its authority may not certify is an e-mail address",
    "test/certs/badalt4-cert.pem": "for www.good.org; likewise",
    "test/certs/badalt8-cert.pem": "its bad name is forbidden by an authority above the one that is trusted here",
    "test/certs/ee+serverAuth.pem": "ee-cert.pem with OpenSSL's notes on trust",
    "test/certs/ee-cert-3072.pem": "RSA-3072 for server.example",
    "test/certs/ee-cert-4096.pem": "RSA-4096 for server.example",
    "test/certs/ee-cert-noncrit-unknown-ext.pem": "an unknown extension that is not critical does no harm",
    "test/certs/ee-cert-policies-bad.pem": "a policy that its authority does not know: no browser asks for policies",
    "test/certs/ee-cert-policies.pem": "likewise",
    "test/certs/ee-cert2.pem": "RSA-2048 for server.example",
    "test/certs/ee-cert-ec-named-named.pem": "P-256 for server.example",
    "test/certs/ee-cert.pem": "RSA-2048 for server.example",
    "test/certs/ee-serverAuth.pem": "ee-cert.pem with OpenSSL's notes on trust: they mean nothing to a browser",
    "test/certs/ee-name2.pem": "RSA-2048 for server.example",
    "test/certs/embeddedSCTs1.pem": "RSA-2048 for server.example",
    "test/certs/server-trusted.pem": "servercert.pem with OpenSSL's notes on trust",
    "test/certs/servercert.pem": "RSA-2048 for server.example",
    "test/recipes/80-test_cmp_http_data/Mock/server.crt": "RSA-2048 for server.example",
}
"""Which leaf of OpenSSL's tests, with its key and its issuer trusted, is a good one, and why."""

EXPLAINED: Final = {
    "ee-cert-ocsp-nocheck by ca-cert root-cert": "refused: a critical extension for OCSP responders, not for servers",
    "ee-pathlen by ca-cert root-cert": "refused: a path length in a certificate that is no authority's (RFC 5280 4.2.1.9)",
    "goodcn1-cert by ncca1-cert root-cert": "refused: it has only a common name",
    "goodcn2-cert by ncca1-cert root-cert": "refused: it has only a common name",
    "ee-ss-with-keyCertSign by ee-ss-with-keyCertSign": "refused: it has only a common name",
    "root-ed25519 by root-ed25519": "refused: it has only a common name, and no browser takes Ed25519",
    "ee-ed25519 by root-ed25519": "refused: the certificate's key is one for X25519",
    "ee-pss-cert by ca-pss-cert root-cert": "refused: an authority with a key for RSASSA-PSS only, as no browser takes it",
    "ee-pss-sha256-cert by ca-cert root-cert": "refused: a PSS signature whose parameters browsers do not take",
    "some-names1 by many-constraints many-constraints": "refused: thousands of names, and its key is not there",
    "some-names2 by many-constraints many-constraints": "refused: thousands of names, and its key is not there",
    "ee-cert by ca-cert root-cert cca-cert": "accepted: of two authorities of one name and key the one for servers is taken",
    "badalt3-cert by ncca1-cert root-cert": "accepted: what its authority may not certify is the e-mail address in its subject",
    "badalt4-cert by ncca1-cert root-cert": "accepted: what its authority may not certify is the e-mail address in its subject",
}
"""Where we and ``openssl verify`` differ, and why."""


@dataclass(frozen=True)
class Verification:
    """
    One call of ``openssl verify`` in OpenSSL's test 25-test_verify.

    Attributes:
        passes: What OpenSSL says.
    """

    words: str
    passes: bool
    certificate: str
    trusted: tuple[str, ...]
    untrusted: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.certificate} by {' '.join((*self.untrusted, *self.trusted))}"

    @property
    def is_about_openssls_store(self) -> bool:
        """Whether it is about the notes on trust that OpenSSL keeps with a root; a root is a root to us."""
        return any(_OWN_TRUST.search(name) for name in self.trusted)


@cache
def alone() -> Survey:
    return ask_alone("OpenSSL's tests", OPENSSL, (path for path in files_below(OPENSSL) if path != VERIFICATIONS))


@cache
def corpus() -> Corpus:
    return collect(OPENSSL, files_below(OPENSSL), _PASSWORDS)


@cache
def pairs() -> Survey:
    return Survey("pairs of OpenSSL's tests", tuple(ask_pair(pair) for pair in corpus().pairs()))


@cache
def verifications() -> tuple[Verification, ...]:
    """Give the calls that a hand-over can be: for any purpose or a server's, and without options."""
    return tuple(_read_calls(VERIFICATIONS.read_text()))


def _read_calls(text: str) -> Iterator[Verification]:
    for call in _CALL.finditer(text):
        if call["purpose"] in ("", "sslserver") and not call["options"].strip(" ,"):
            yield Verification(
                call["words"], not call["not"], call["cert"], _names(call["trusted"]), _names(call["untrusted"])
            )


def _names(perl: str) -> tuple[str, ...]:
    return tuple(re.findall(r"[\w+-]+", perl.replace("qw", "")))


@cache
def verified() -> dict[Verification, Answer]:
    """Give the answer to each call."""
    return {verification: _ask(verification) for verification in verifications()}


def accepted_here() -> dict[str, str]:
    """Give those of `ACCEPTED` that this version of OpenSSL has."""
    return {name: why for name, why in ACCEPTED.items() if (OPENSSL / name).exists()}


def differing() -> dict[str, bool]:
    """Give by name where we and OpenSSL differ, and whether we accept."""
    return {
        verification.name: answer.accepted
        for verification, answer in verified().items()
        if answer.accepted != verification.passes and not verification.is_about_openssls_store
    }


def _ask(verification: Verification) -> Answer:
    """Hand over what the call verifies, with the private key where the corpus has it."""
    files = {f"{name}.pem": _read(name) for name in (verification.certificate, *verification.untrusted)}
    try:
        leaf, *_ = load_certificates(_read(verification.certificate))
        roots = [root for name in verification.trusted for root in load_certificates(_read(name))]
        files |= {"server.key": key} if (key := corpus().key_of(leaf)) else {}
    except ValueError:
        roots = []  # none that anything here reads
    return ask(verification.name, files, private_terms(roots, NOW))


def _read(name: str) -> bytes:
    return (OPENSSL / "test" / "certs" / f"{name}.pem").read_bytes()
