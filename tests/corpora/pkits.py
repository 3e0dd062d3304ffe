"""
The path validation tests of NIST's PKITS, as far as they concern a TLS server.

A test's path is what its S/MIME message carries. Its leaf names no host, so each test is asked twice: as it is, which
must be refused, and with the leaf made anew by the same authority (PKITS gives away the keys) as a TLS server's.

Source:
    NIST, Public Key Interoperability Test Suite, version 1.0.1, section 4.
"""

from __future__ import annotations

import email
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID

from tasks.core.doctor.leaf import dns_names
from tests.corpora.answers import NOW, Answer, ask, private_terms
from tests.corpora.vectors import PKITS
from tests.pki import PrivateKey, cert_pem, key_pem, make_key

_PASSWORD: Final = b"password"  # PKITS, section 3
_HOST: Final = "shop.example.test"


@dataclass(frozen=True)
class Section:
    """
    One section of chapter 4.

    Attributes:
        pattern: How its tests are called.

        promised: The numbers of the invalid tests whose fault our model of a client sees.

        others: What the faults of the other invalid tests are about; empty where there are none.
    """

    title: str
    pattern: str
    tests: int
    promised: str = ""
    others: str = ""


_REVOCATION: Final = "revocation"
_POLICIES: Final = "policies"
SECTIONS: Final = {
    "4.1": Section("signatures", r"ValidSignatures|CASignature|EESignature|DSA", 6, "2 3 6"),
    "4.2": Section("validity", r"not(Before|After)Date", 8, "1 2 5 6 7"),
    "4.3": Section("name chaining", r"NameChaining|RFC3280|Rollover|UTF8String", 11, "1 2"),
    "4.4": Section(
        "revocation",
        r"MissingCRL|Revoked|BadCRL|WrongCRL|TwoCRLs|UnknownCRL|CRLnext|SerialNumber|SeparateCert",
        21,
        others=_REVOCATION,
    ),
    "4.5": Section("self-issued certificates", r"BasicSelfIssued", 8, others=_REVOCATION),
    "4.6": Section("basic constraints", r"basicConstraints|cAFalse|pathLen", 17, "1 2 3 5 6 9 10 11 12 16"),
    "4.7": Section("key usage", r"keyUsage", 5, "1 2", "who may sign revocation lists"),
    "4.8": Section("policies", r"AllCertificates|DifferentPol|Overlapping|dAnyPolicy|UserNotice|CPSPointer", 20),
    "4.9": Section("explicit policy", r"[rR]equireExplicitPolicy", 8, others=_POLICIES),
    "4.10": Section("policy mappings", r"idPolicyMapping|MappingFrom|MappingTo", 14, others=_POLICIES),
    "4.11": Section("inhibit policy mapping", r"inhibitPolicyMapping", 11, others=_POLICIES),
    "4.12": Section("inhibit any-policy", r"inhibitAnyPolicy", 10, others=_POLICIES),
    "4.13": Section("name constraints", r"[nN]ameConstraints", 38, "31 33 38", "names that are no DNS names"),
    "4.14": Section("distribution points", r"[dD]istributionPoint|only|IDP|cRLIssuer", 35, others=_REVOCATION),
    "4.15": Section("delta CRLs", r"deltaCRL", 10, others=_REVOCATION),
    "4.16": Section("unknown extensions", r"CriticalCertificateExtension", 2, "2"),
}

_NOT_UNDERSTOOD: Final = "a critical extension about policies, which the verifier does not understand and so refuses"
_BYTES: Final = "names that differ in case, spaces or encoding are not the same to the verifier"
_NO_DSA: Final = "an authority with a DSA key, as no browser takes it"
VALID_BUT_REFUSED: Final = {
    "4.1": {_NO_DSA: "4 5"},
    "4.3": {_BYTES: "3 4 5 10 11"},
    "4.6": {"the verifier counts authorities that certify themselves against the path length": "15 17"},
    "4.9": {_NOT_UNDERSTOOD: "1 2 4 6"},
    "4.10": {_NOT_UNDERSTOOD: "1 3 5 6 9 11 12 13 14"},
    "4.11": {_NOT_UNDERSTOOD: "2 4 7"},
    "4.12": {_NOT_UNDERSTOOD: "2 3 7 9"},
    "4.13": {
        "the verifier does not understand constraints on directory names, and so refuses": "1 4 5 6 11 14 18 19 27",
        "the verifier does not understand constraints on URIs, and so refuses": "34 36",
    },
}
"""By section: why we refuse what PKITS calls valid, and in which tests. Each errs on the safe side."""

ACCEPTED_AS_THEY_ARE: Final = {
    "ValidDNSnameConstraintsTest30": "it has a DNS name, and names no purpose, which a private authority may do",
    "ValidDNSnameConstraintsTest32": "likewise",
}
"""The leaves that are a server's as PKITS has them."""


@dataclass(frozen=True)
class PathTest:
    """
    One test of PKITS.

    Attributes:
        valid: Whether a client accepts the path that also knows what is revoked, and to which any policy will do.

        promised: Whether the fault of an invalid one is among those that our model of a client sees.

        leaf: None where nothing here reads it (DSA with parameters left out).
    """

    name: str
    section: str
    number: int
    valid: bool
    promised: bool
    leaf: x509.Certificate | None = field(repr=False)
    intermediates: tuple[x509.Certificate, ...] = field(repr=False)


@cache
def path_tests() -> tuple[PathTest, ...]:
    """Give the 224 tests."""
    with warnings.catch_warnings():  # the messages are BER, and serial numbers are negative on purpose
        warnings.simplefilter("ignore")
        return tuple(_read_test(path) for path in sorted((PKITS / "smime").glob("*.eml")))


def _read_test(path: Path) -> PathTest:
    name = path.stem.removeprefix("Signed")
    number = int(name.rpartition("Test")[2])
    section, description = next(item for item in SECTIONS.items() if re.search(item[1].pattern, path.stem))
    promised = str(number) in description.promised.split()
    valid = not name.startswith(("Invalid", "MissingCRL"))
    certificates = _certificates(path)
    leaf = next((c for c in certificates if _stems()[c.public_bytes(Encoding.DER)].endswith("EE")), None)
    rest = tuple(c for c in certificates if c != leaf)
    return PathTest(name, section, number, valid, promised, leaf, rest)


def _certificates(path: Path) -> list[x509.Certificate]:
    message = email.message_from_bytes(path.read_bytes())
    signature = next(part for part in message.walk() if part.get_filename() == "smime.p7s")
    payload = signature.get_payload(decode=True)
    assert isinstance(payload, bytes)
    try:
        return pkcs7.load_der_pkcs7_certificates(payload)
    except ValueError:  # DSA parameters left out: nothing here reads that certificate
        return []


@cache
def anchor() -> x509.Certificate:
    return x509.load_der_x509_certificate((PKITS / "certs" / "TrustAnchorRootCertificate.crt").read_bytes())


@cache
def _stems() -> dict[bytes, str]:
    """Name each certificate's files."""
    return {path.read_bytes(): path.stem for path in (PKITS / "certs").glob("*.crt")}


@cache
def _private_key(certificate: x509.Certificate) -> rsa.RSAPrivateKey | dsa.DSAPrivateKey:
    stem = _stems()[certificate.public_bytes(Encoding.DER)]
    key, *_ = pkcs12.load_key_and_certificates((PKITS / "pkcs12" / f"{stem}.p12").read_bytes(), _PASSWORD)
    assert isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey)
    return key


def ask_as_it_is(test: PathTest) -> Answer:
    """Hand over the test's own leaf and intermediates, the PKITS root being trusted; and its key if a host is named."""
    assert test.leaf
    files = {"server.crt": cert_pem([test.leaf]), "chain.pem": cert_pem(test.intermediates)}
    if dns_names(test.leaf):
        files["server.key"] = key_pem(_private_key(test.leaf))
    return ask(test.name, files, private_terms([anchor()], NOW))


def ask_as_server(test: PathTest) -> Answer:
    """Hand over the same with the leaf made anew: for a server, with a host's name, and never an authority's."""
    assert test.leaf
    key = make_key("ec256")
    leaf = _server_leaf(test.leaf, test.intermediates, key)
    files = {"server.key": key_pem(key), "server.crt": cert_pem([leaf]), "chain.pem": cert_pem(test.intermediates)}
    return ask(test.name, files, private_terms([anchor()], NOW))


@cache
def as_they_are() -> dict[PathTest, Answer]:
    return {test: ask_as_it_is(test) for test in path_tests() if test.leaf}


@cache
def as_servers() -> dict[PathTest, Answer]:
    return {test: ask_as_server(test) for test in path_tests() if test.leaf}


def numbers_of(section: str, *, valid: bool, promised: bool, accepted: bool) -> list[int]:
    """Give the numbers of the tests of *section* that were answered so, as a server's; an unreadable one is refused."""
    answers = as_servers()
    return sorted(
        test.number
        for test in path_tests()
        if (test.section, test.valid, test.promised) == (section, valid, promised)
        and (test in answers and answers[test].accepted) == accepted
    )


def explained(section: str) -> list[int]:
    """Give the numbers of the valid tests of *section* that `VALID_BUT_REFUSED` is about."""
    return sorted(int(number) for numbers in VALID_BUT_REFUSED.get(section, {}).values() for number in numbers.split())


def _server_leaf(
    leaf: x509.Certificate, intermediates: Sequence[x509.Certificate], key: PrivateKey
) -> x509.Certificate:
    serial = leaf.serial_number if leaf.serial_number > 0 else x509.random_serial_number()
    builder = (
        x509.CertificateBuilder()
        .subject_name(leaf.subject)
        .issuer_name(leaf.issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(leaf.not_valid_before_utc)
        .not_valid_after(leaf.not_valid_after_utc)
    )
    for extension, critical in _server_extensions(leaf, key):
        builder = builder.add_extension(extension, critical)
    signer = _signer(leaf, (*intermediates, anchor()))
    made = builder.sign(_private_key(signer or _namesake(leaf, intermediates)), hashes.SHA256())
    return made if signer else _break(made)


def _server_extensions(leaf: x509.Certificate, key: PrivateKey) -> Iterator[tuple[x509.ExtensionType, bool]]:
    names: list[x509.GeneralName] = []
    for extension in leaf.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            names = list(extension.value)
        elif not isinstance(extension.value, x509.SubjectKeyIdentifier | x509.KeyUsage | x509.BasicConstraints):
            yield extension.value, extension.critical
    if not any(isinstance(name, x509.DNSName) for name in names):
        names.append(x509.DNSName(_HOST))
    yield x509.SubjectAlternativeName(names), False
    yield _key_usage(), True
    yield x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False
    yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False


def _key_usage() -> x509.KeyUsage:
    """A server signs handshakes, and nothing else."""
    others = (
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
    )
    return x509.KeyUsage(True, **dict.fromkeys((*others, "encipher_only", "decipher_only"), False))


def _signer(leaf: x509.Certificate, candidates: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """Give the certificate whose key signed *leaf*, whatever its name; None for a broken signature."""
    for candidate in candidates:
        public = candidate.public_key()
        try:
            if isinstance(public, rsa.RSAPublicKey):
                public.verify(leaf.signature, leaf.tbs_certificate_bytes, PKCS1v15(), hashes.SHA256())
            elif isinstance(public, dsa.DSAPublicKey):
                public.verify(
                    leaf.signature, leaf.tbs_certificate_bytes, leaf.signature_hash_algorithm or hashes.SHA1()
                )
        except InvalidSignature:
            continue
        return candidate
    return None


def _namesake(leaf: x509.Certificate, candidates: Sequence[x509.Certificate]) -> x509.Certificate:
    return next(candidate for candidate in candidates if candidate.subject == leaf.issuer)


def _break(certificate: x509.Certificate) -> x509.Certificate:
    der = certificate.public_bytes(Encoding.DER)
    return x509.load_der_x509_certificate(der[:-1] + bytes([der[-1] ^ 1]))
