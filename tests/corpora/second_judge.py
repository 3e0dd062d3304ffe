"""
badkeys as a second judge of keys: ours and its verdict on each key alone, side by side.

Its check against a downloaded list of keys is left out: that needs the network.

Source:
    badkeys, https://badkeys.info/docs/.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import badkeys  # type: ignore[import-untyped]
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from tasks.core import policy
from tasks.core.doctor.leaf import UNREADABLE
from tasks.core.doctor.public_key import RSA, describe_public
from tasks.core.doctor.weak_keys import find_private_weakness, find_weakness
from tests.core.weak import WEAK_MODULI, WEAK_PRIVATE, backdoor_payload, small_private_exponent
from tests.corpora.answers import MOST_KEY_BYTES, files_below
from tests.corpora.fetch_openssl import OPENSSL
from tests.corpora.vectors import VECTORS
from tests.pki import KEY_KINDS, PrivateKey, make_key

CHECKS: Final = tuple(check for check in badkeys.allchecks if check != "blocklist")
SOUND: Final = "sound"
_NO_VERDICT: Final = ("unparseable", "unsupported", "notfound")
_UNREADABLE: Final = (*UNREADABLE, AttributeError)

EXPLAINED: Final = {
    ("kind", SOUND): "badkeys has no opinion on kinds of keys and curves; browsers take RSA, P-256 and P-384",
    ("private", SOUND): "badkeys sees public keys only; these are weak in their private half",
    (
        "was not made at random: its bits follow a pattern",
        SOUND,
    ): "badkeys looks for one byte 16 times and for zeros in each word; we look for any pattern",
    (SOUND, "xzbackdoor"): "a modulus that is a message to the backdoor in xz (CVE-2024-3094) has no private key: "
    "nobody can hand it over",
    (SOUND, "notfound"): "badkeys does not know the PEM labels X509 CERTIFICATE and NEW CERTIFICATE REQUEST",
}
"""Why we and badkeys may differ: our verdict, its verdict, the reason."""


@dataclass(frozen=True)
class Opinion:
    """
    What both judges say of one key.

    Attributes:
        ours: ``sound``, or the kind of our objection.

        theirs: ``sound``, the names of the checks that object, or why there is no verdict.
    """

    name: str
    ours: str
    theirs: str

    @property
    def disagrees(self) -> bool:
        return (self.ours == SOUND) != (self.theirs == SOUND)


def opinions() -> dict[str, tuple[Opinion, ...]]:
    """Give the opinions by where the keys come from; OpenSSL's only where they were fetched."""
    places = {"fresh keys": on_fresh_keys(), "weak keys": on_weak_keys(), "cryptography-vectors": _on_files(VECTORS)}
    return places | ({"OpenSSL's tests": _on_files(OPENSSL)} if OPENSSL.exists() else {})


@cache
def on_fresh_keys() -> tuple[Opinion, ...]:
    return tuple(_of_private(kind, make_key(kind)) for kind in KEY_KINDS)


@cache
def on_weak_keys() -> tuple[Opinion, ...]:
    return tuple(_weak())


def unexplained(found: Iterable[Opinion]) -> list[Opinion]:
    return [opinion for opinion in found if opinion.disagrees and (opinion.ours, opinion.theirs) not in EXPLAINED]


def disagreements(found: Iterable[Opinion]) -> Counter[tuple[str, str]]:
    return Counter((opinion.ours, opinion.theirs) for opinion in found if opinion.disagrees)


def _weak() -> Iterator[Opinion]:
    for name, make in WEAK_MODULI.items():
        yield _of_public(name, rsa.RSAPublicNumbers(policy.RSA_EXPONENT, make()).public_key())
    for name, make_numbers in WEAK_PRIVATE.items():
        numbers = make_numbers()
        if isinstance(numbers, rsa.RSAPrivateNumbers):
            yield _of_private(name, numbers.private_key(unsafe_skip_rsa_key_validation=True))
        else:
            yield _of_private(name, numbers.private_key())
    yield _of_public("small private exponent", small_private_exponent())
    yield _of_public("message to a backdoor", backdoor_payload().public_key())


def _of_private(name: str, key: PrivateKey) -> Opinion:
    return Opinion(name, _object(key.public_key(), key), _ask_badkeys(_pem(key.public_key())))


def _of_public(name: str, key: PublicKeyTypes) -> Opinion:
    return Opinion(name, _object(key), _ask_badkeys(_pem(key)))


@cache
def _on_files(base: Path) -> tuple[Opinion, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(opinion for path in files_below(base) if (opinion := _of_file(base, path)))


def _of_file(base: Path, path: Path) -> Opinion | None:
    """Give the opinions on the first key in a file; None where there is none that can be read."""
    data = path.read_bytes()
    private = _load_private(data) if len(data) <= MOST_KEY_BYTES else None
    public = private.public_key() if private else _load_public(data)
    if public is None:
        return None
    is_text = b"-----BEGIN" in data or data.startswith((b"ssh-", b"ecdsa-"))
    text = data.decode("latin-1") if is_text and not private else _pem(public)  # badkeys sees no more than that
    return Opinion(str(path.relative_to(base)), _object(public, private), _ask_badkeys(text))


def _load_private(data: bytes) -> Any:
    def pem() -> Any:
        return serialization.load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)

    def der() -> Any:
        return serialization.load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True)

    return _first([pem, der, lambda: serialization.load_ssh_private_key(data, None)])


def _load_public(data: bytes) -> Any:
    return _first(
        [
            lambda: x509.load_pem_x509_certificate(data).public_key(),
            lambda: x509.load_der_x509_certificate(data).public_key(),
            lambda: x509.load_pem_x509_csr(data).public_key(),
            lambda: x509.load_der_x509_csr(data).public_key(),
            lambda: serialization.load_pem_public_key(data),
            lambda: serialization.load_der_public_key(data),
            lambda: serialization.load_ssh_public_key(data),
        ]
    )


def _first(loads: Iterable[Callable[[], Any]]) -> Any:
    """Give the first key that loads and has an SPKI, or None."""
    for load in loads:
        try:
            key = load()
            _pem(key.public_key() if hasattr(key, "public_key") else key)
        except _UNREADABLE:
            continue
        return key
    return None


def _pem(key: PublicKeyTypes) -> str:
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_bytes(serialization.Encoding.PEM, spki).decode("ascii")


def _object(public: Any, private: object = None) -> str:
    """Give our own objection to the key alone, by the rules for a hand-over."""
    facts = describe_public(public)
    if facts.kind == RSA:
        if facts.modulus.bit_length() <= policy.RSA_MAX_PARSE_BITS and (weakness := find_weakness(facts.modulus)):
            return weakness
        if facts.modulus.bit_length() not in policy.RSA_BITS:
            return "size"
        if facts.exponent != policy.RSA_EXPONENT:
            return "exponent"
    elif facts.kind not in policy.EC_CURVES:
        return "kind"
    if isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        return "private" if find_private_weakness(private.private_numbers()) else SOUND
    return SOUND


@cache
def _ask_badkeys(text: str) -> str:
    answer = badkeys.detectandcheck(text, checks=CHECKS)
    if answer["type"] in _NO_VERDICT:
        return str(answer["type"])
    return ", ".join(answer["results"]) or SOUND
