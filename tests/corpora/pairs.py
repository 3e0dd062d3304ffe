"""
Private keys and certificates of a corpus that belong together, judged as generously as can be.

Every authority of the corpus is trusted as a root of an installation's own, and it is a day of the leaf's validity: what
is refused then is refused for its own sake.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
    pkcs12,
)

from tasks.core.doctor.identify import trim_der
from tasks.core.doctor.leaf import UNREADABLE, find_malformation, is_authority
from tasks.core.doctor.pem import read_blocks
from tests.corpora.answers import MOST_KEY_BYTES, NOW, Answer, ask, private_terms
from tests.pki import cert_pem

_UNREADABLE: Final = (*UNREADABLE, AttributeError)  # no key, or one that has no such form


@dataclass(frozen=True)
class Pair:
    """
    A private key and a certificate for it.

    Attributes:
        name: The certificate's file.

        roots: The authorities of its issuer's name.
    """

    name: str
    key: bytes = field(repr=False)
    leaf: x509.Certificate = field(repr=False)
    roots: tuple[x509.Certificate, ...] = field(repr=False)

    @property
    def day(self) -> datetime:
        begin, end = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        return NOW if begin < NOW < end - timedelta(days=30) else begin + timedelta(days=1)


@dataclass
class Corpus:
    """
    What was found.

    Attributes:
        keys: In PEM, by the public key (SPKI), with the file's name.
    """

    keys: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)
    certificates: list[tuple[str, x509.Certificate]] = field(default_factory=list)

    def key_of(self, certificate: x509.Certificate) -> bytes | None:
        """Give the private key of *certificate* in PEM, if it is in the corpus."""
        found = self.keys.get(_spki(certificate.public_key()))
        return found[1] if found else None

    def pairs(self) -> Iterator[Pair]:
        authorities = dict.fromkeys(certificate for _, certificate in self.certificates if is_authority(certificate))
        for name, leaf in self.certificates:
            if found := self.keys.get(_spki(leaf.public_key())):
                roots = tuple(authority for authority in authorities if authority.subject == leaf.issuer)
                yield Pair(name, found[1], leaf, roots)


def collect(base: Path, paths: Iterable[Path], passwords: Sequence[bytes | None]) -> Corpus:
    """Read every private key and certificate of *paths*, those in PKCS#12 and behind *passwords*, too."""
    corpus = Corpus()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in paths:
            name, data = str(path.relative_to(base)), path.read_bytes()
            for password in passwords if len(data) <= MOST_KEY_BYTES else ():
                for key in _keys(data, password):
                    corpus.keys.setdefault(_spki(key.public_key()), (name, _pem(key)))
            for certificate in _certificates(data, passwords):
                if _is_readable(certificate):
                    corpus.certificates.append((name, certificate))
    return corpus


def _pem(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def ask_pair(pair: Pair) -> Answer:
    roots = [root for root in pair.roots if root.not_valid_before_utc <= pair.day <= root.not_valid_after_utc]
    files = {"server.key": pair.key, "server.crt": cert_pem([pair.leaf])}
    return ask(pair.name, files, private_terms(roots, pair.day))


def _keys(data: bytes, password: bytes | None) -> Iterator[PrivateKeyTypes]:
    for load in (_load_pem, _load_der, _load_pkcs12):
        try:
            key = load(data, password)
            _spki(key.public_key())
        except _UNREADABLE:
            continue
        yield key
        return


def _load_pem(data: bytes, password: bytes | None) -> PrivateKeyTypes:
    return load_pem_private_key(data, password, unsafe_skip_rsa_key_validation=True)  # the judge validates


def _load_der(data: bytes, password: bytes | None) -> PrivateKeyTypes:
    return load_der_private_key(data, password, unsafe_skip_rsa_key_validation=True)


def _load_pkcs12(data: bytes, password: bytes | None) -> PrivateKeyTypes:
    key, *_ = pkcs12.load_key_and_certificates(data, password)
    if key is None:
        raise ValueError("there is no key in it")
    return key


def _certificates(data: bytes, passwords: Sequence[bytes | None]) -> list[x509.Certificate]:
    try:
        return load_certificates(data)
    except _UNREADABLE:
        pass
    for password in passwords:
        try:
            _, certificate, others = pkcs12.load_key_and_certificates(data, password)
        except _UNREADABLE:
            continue
        return [*([certificate] if certificate else []), *others]
    return []


def load_certificates(data: bytes) -> list[x509.Certificate]:
    """Load PEM or DER; of OpenSSL's TRUSTED CERTIFICATE the certificate without what OpenSSL notes behind it."""
    ders = [trim_der(block.der) for block in read_blocks(data) if block.der and block.label.endswith("CERTIFICATE")]
    return [x509.load_der_x509_certificate(der) for der in ders or [data]]


def _is_readable(certificate: x509.Certificate) -> bool:
    try:
        return bool(_spki(certificate.public_key())) and find_malformation(certificate) is None
    except _UNREADABLE:
        return False


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
