"""Keys of the wrong kind, size, make or owner."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tasks.core.doctor.pem import armour
from tasks.core.doctor.terms import KeyStanding, Rules
from tests.core.weak import _key, close_primes, roca
from tests.corpus import containers, craft
from tests.corpus.case import Case, Files, Lab, accepted, leaf, refused
from tests.pki import Issued, key_pem, make_key

_RSA = "1.2.840.113549.1.1.1"
_RSA_PSS = "1.2.840.113549.1.1.10"
_ML_DSA_65 = "2.16.840.1.101.3.4.3.18"


def _certified(lab: Lab, spki: bytes, private: bytes, label: str = "PRIVATE KEY") -> Files:
    """Give files whose leaf certifies *spki*, with the private key in DER."""
    return lab.forged(spki=spki) | {"ssl.key": armour(label, private)}


def _rsa_of(lab: Lab, bits: int, e: int = 65537) -> Files:
    """An RSA key of so many bits; making a real one takes long, and no check gets as far as its other numbers."""
    n = random.Random(bits).getrandbits(bits) | 1 << bits - 1 | 1
    return _certified(lab, craft.rsa_public(n, e), craft.rsa_private(n, e), "RSA PRIVATE KEY")


def _on_curve(curve: ec.EllipticCurve) -> Any:
    return lambda lab: lab.middle.issue(["shop.example.test"], key=ec.generate_private_key(curve)).files()


def _unknown_algorithm(lab: Lab, dotted: str) -> Files:
    algorithm = craft.sequence(craft.oid(dotted))
    spki = craft.sequence(algorithm, craft.bits(bytes(range(64))))
    return _certified(lab, spki, craft.sequence(craft.integer(0), algorithm, craft.octets(bytes(range(32)))))


def _x25519(lab: Lab) -> Files:
    key: Any = x25519.X25519PrivateKey.generate()
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return _certified(lab, spki, containers.key_der(key))


def _rsa_pss(lab: Lab) -> Files:
    """An RSA key that says it is for PSS alone: the same numbers under another algorithm."""
    numbers = make_key("rsa2048").public_key().public_numbers()  # type: ignore[union-attr]
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    algorithm = craft.sequence(craft.oid(_RSA_PSS))
    spki = craft.sequence(algorithm, craft.bits(craft.sequence(craft.integer(numbers.n), craft.integer(numbers.e))))
    inner = containers.key_der(make_key("rsa2048"), containers.OLD)
    return _certified(lab, spki, craft.sequence(craft.integer(0), algorithm, craft.octets(inner)))


def _explicit(lab: Lab) -> Files:
    key = ec.generate_private_key(ec.SECP256R1())
    point, parameters = craft.point_of(key), craft.explicit_p256()
    scalar = key.private_numbers().private_value
    return _certified(lab, craft.ec_public(point, parameters), craft.ec_private(scalar, point, parameters))


def _explicit_only_in_key(lab: Lab) -> Files:
    key = lab.good.key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    scalar = key.private_numbers().private_value
    der = craft.ec_private(scalar, craft.point_of(key), craft.explicit_p256())
    return lab.good.files(key=armour("PRIVATE KEY", der))


def _explicit_only_in_certificate(lab: Lab) -> Files:
    """What CVE-2020-0601 did: the key of a named curve, certified under parameters that only look like it."""
    return lab.forged(spki=craft.ec_public(craft.point_of(lab.good.key), craft.explicit_p256()))  # type: ignore[arg-type]


def _short_point(lab: Lab) -> Files:
    point = craft.point_of(lab.good.key)  # type: ignore[arg-type]
    return lab.forged(spki=craft.ec_public(bytes([2 + point[-1] % 2]) + point[1:33]))


def _hybrid_point(lab: Lab) -> Files:
    point = craft.point_of(lab.good.key)  # type: ignore[arg-type]
    return lab.forged(spki=craft.ec_public(bytes([6 + point[-1] % 2]) + point[1:]))


def _certified_rsa(dotted: str) -> Callable[[Lab], Files]:
    """The good RSA key, certified under another algorithm and without parameters."""

    def files(lab: Lab) -> Files:
        numbers = lab.rsa.key.public_key().public_numbers()  # type: ignore[union-attr]
        assert isinstance(numbers, rsa.RSAPublicNumbers)
        inner = craft.sequence(craft.integer(numbers.n), craft.integer(numbers.e))
        return lab.forged(lab.rsa, spki=craft.sequence(craft.sequence(craft.oid(dotted)), craft.bits(inner)))

    return files


def _rsa_pss_only_in_key(lab: Lab) -> Files:
    inner = craft.octets(containers.key_der(lab.rsa.key, containers.OLD))
    der = craft.sequence(craft.integer(0), craft.sequence(craft.oid(_RSA_PSS)), inner)
    return lab.rsa.files(key=armour("PRIVATE KEY", der))


def _weak(key: Any) -> Any:
    return lambda lab: lab.middle.issue(["shop.example.test"], key=key()).files()


@lru_cache
def _small_factor() -> rsa.RSAPrivateKey:
    """A modulus with the prime 13: a generator that forgot to test."""
    return _key(13, rsa.generate_private_key(65537, 4088).private_numbers().p)


def _square(lab: Lab) -> Files:
    p = (rng := random.Random(5)).getrandbits(1024) | 3 << 1022 | 1
    while pow(2, p - 1, p) != 1:
        p = rng.getrandbits(1024) | 3 << 1022 | 1
    return _certified(lab, craft.rsa_public(p * p, 65537), craft.rsa_private(p * p, 65537, p=p, q=p), "RSA PRIVATE KEY")


def _scalar(value: int) -> Any:
    """A key that anybody guesses."""
    return lambda lab: lab.middle.issue(["shop.example.test"], key=ec.derive_private_key(value, ec.SECP256R1())).files()


def _foreign_point(lab: Lab) -> Files:
    """The private number of one key beside the public point of the certificate: an attack on who compares points."""
    other = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    point = craft.point_of(lab.good.key)  # type: ignore[arg-type]
    return lab.good.files(key=armour("PRIVATE KEY", craft.ec_private(other, point)))


def _numbers_do_not_fit(lab: Lab) -> Files:
    n = lab.rsa.key.private_numbers()  # type: ignore[union-attr]
    assert isinstance(n, rsa.RSAPrivateNumbers)
    der = craft.rsa_private(n.public_numbers.n, 65537, n.d + 2, n.p, n.q)
    return lab.rsa.files(key=armour("RSA PRIVATE KEY", der))


def _foreign_modulus(lab: Lab) -> Files:
    """The primes of one key under the modulus of the certificate."""
    mine, other = lab.rsa.key.private_numbers(), make_key("rsa2048", 3).private_numbers()  # type: ignore[union-attr]
    assert isinstance(mine, rsa.RSAPrivateNumbers)
    assert isinstance(other, rsa.RSAPrivateNumbers)
    der = craft.rsa_private(mine.public_numbers.n, 65537, other.d, other.p, other.q)
    return lab.rsa.files(key=armour("RSA PRIVATE KEY", der))


def spki_sha256(issued: Issued) -> str:
    spki = issued.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(spki).hexdigest()


def _standing(standing: KeyStanding) -> Any:
    """The records know the good key."""
    return lambda lab: {"standing": lambda digest: standing if digest == spki_sha256(lab.good) else KeyStanding.UNKNOWN}


def _blocked(lab: Lab) -> dict[str, Any]:
    return {"rules": Rules(blocked_keys=frozenset({spki_sha256(lab.good)}))}


CASES: tuple[Case, ...] = (
    accepted("P-384", leaf(key="ec384")),
    accepted("RSA-3072", leaf(key="rsa3072")),
    accepted("RSA-4096", leaf(key="rsa4096")),
    accepted(
        "another key is on the block list",
        lambda lab: lab.other.files(),
        change=lambda lab: {**_blocked(lab), "hostname": "other.example.test"},
    ),
    accepted(
        "another key is compromised",
        lambda lab: lab.rsa.files(),
        change=_standing(KeyStanding.COMPROMISED),
    ),
    refused("last year's key", "key-mismatch", leaf(public_key=make_key().public_key())),
    refused(
        "another RSA key",
        "key-mismatch",
        lambda lab: lab.rsa.files(key=key_pem(make_key("rsa2048", 3))),
    ),
    refused("an RSA key for an EC certificate", "key-mismatch", lambda lab: lab.good.files(key=lab.rsa.key_pem)),
    refused(
        "two keys in two files, none the certificate's",
        "key-mismatch",
        lambda lab: lab.good.files(key=lab.other.key_pem) | {"old.key": lab.rsa.key_pem},
    ),
    refused("RSA-512", "rsa-size", lambda lab: _rsa_of(lab, 512)),
    refused("RSA-1024", "rsa-size", leaf(key="rsa1024")),
    refused("RSA-2047", "rsa-size", lambda lab: _rsa_of(lab, 2047)),
    refused("RSA-2056", "rsa-size", lambda lab: _rsa_of(lab, 2056)),
    refused("RSA-8192", "rsa-size", lambda lab: _rsa_of(lab, 8192)),
    refused("RSA-16384", "rsa-size", lambda lab: _rsa_of(lab, 16384)),
    refused("exponent 3", "rsa-exponent", leaf(key="rsa2048-e3")),
    refused("exponent 1", "rsa-exponent", lambda lab: _rsa_of(lab, 2048, 1)),
    refused("exponent 17", "rsa-exponent", lambda lab: _rsa_of(lab, 2048, 17)),
    refused("exponent as long as the modulus", "rsa-exponent", lambda lab: _rsa_of(lab, 2048, 1 << 2000 | 1)),
    refused("close primes", "key-weak", _weak(close_primes)),
    refused("made by a ROCA chip", "key-weak", _weak(roca)),
    refused("a small prime factor", "key-weak", _weak(_small_factor)),
    refused("the square of a prime", "key-unreadable", _square),
    refused("EC key 1", "key-weak", _scalar(1)),
    refused("EC key of a repeated byte", "key-weak", _scalar(int.from_bytes(b"\x42" * 32, "big"))),
    refused("EC key just below the order", "key-weak", _scalar(craft.P256_ORDER - 7)),
    refused("key on the block list", "key-blocked", lambda lab: lab.good.files(), _blocked),
    refused(
        "key known as compromised", "key-compromised", lambda lab: lab.good.files(), _standing(KeyStanding.COMPROMISED)
    ),
    refused(
        "key of another account",
        "key-of-another-account",
        lambda lab: lab.good.files(),
        _standing(KeyStanding.OF_ANOTHER_ACCOUNT),
    ),
    refused("P-521", "curve", leaf(key="ec521")),
    refused("the curve of Bitcoin", "curve", leaf(key="secp256k1")),
    refused("P-224", "curve", _on_curve(ec.SECP224R1())),
    refused("P-192", "curve", _on_curve(ec.SECP192R1())),
    refused("brainpool", "curve", _on_curve(ec.BrainpoolP256R1())),
    refused("parameters of the curve written out", "curve-explicit", _explicit),
    refused("parameters written out in the key only", "curve-explicit", _explicit_only_in_key),
    refused("parameters written out in the certificate only", "curve-explicit", _explicit_only_in_certificate),
    refused("a point in its short form", "point-compressed", _short_point),
    refused("a point in its hybrid form", "point-compressed", _hybrid_point),
    refused("Ed25519", "key-ed25519", leaf(key="ed25519")),
    refused("Ed448", "key-ed448", leaf(key="ed448")),
    refused("X25519, which cannot sign", "key-type", _x25519),
    refused("DSA", "key-dsa", leaf(key="dsa2048")),
    refused("RSA for PSS only", "key-rsa-pss", _rsa_pss),
    refused("RSA for PSS only, by its certificate", "key-rsa-pss", _certified_rsa(_RSA_PSS)),
    refused("RSA for PSS only, by its private key", "key-rsa-pss", _rsa_pss_only_in_key),
    refused("RSA without the NULL that belongs there", "certificate-malformed", _certified_rsa(_RSA)),
    refused("ML-DSA, ahead of its time", "key-type", lambda lab: _unknown_algorithm(lab, _ML_DSA_65)),
    refused("GOST", "key-type", lambda lab: _unknown_algorithm(lab, "1.2.643.7.1.1.1.1")),
    refused("numbers that do not fit", "key-unreadable", _numbers_do_not_fit),
    refused("primes of another key", "key-unreadable", _foreign_modulus),
    refused("private number of another key", "key-unreadable", _foreign_point),
    refused(
        "private number 0",
        "key-unreadable",
        lambda lab: lab.good.files(key=armour("PRIVATE KEY", craft.ec_private(0))),
    ),
    refused(
        "private number above the order",
        "key-unreadable",
        lambda lab: lab.good.files(key=armour("PRIVATE KEY", craft.ec_private(craft.P256_ORDER + 5))),
    ),
    refused("two keys in one file", "two-keys", lambda lab: lab.good.files(key=lab.good.key_pem + lab.other.key_pem)),
    refused(
        "the right key behind another",
        "two-keys",
        lambda lab: lab.good.files(key=lab.rsa.key_pem + lab.good.key_pem),
    ),
)
