"""
DER by hand, for certificates and keys that no library would make.

    forge(authority, leaf, serial=integer(-5))  # the leaf again with one part exchanged, signed anew
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding

from tasks.core.doctor.pem import armour
from tests.pki import CA, Issued

SAN, EKU, KEY_USAGE, BASIC_CONSTRAINTS = "2.5.29.17", "2.5.29.37", "2.5.29.15", "2.5.29.19"
_TBS = ("version", "serial", "algorithm", "issuer", "validity", "subject", "spki", "extensions")
_CONSTRUCTED = 0x20


def tlv(tag: int, *parts: bytes) -> bytes:
    """Give one value with a definite length in its shortest form."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content


def sequence(*parts: bytes) -> bytes:
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def octets(content: bytes) -> bytes:
    return tlv(0x04, content)


def bits(content: bytes) -> bytes:
    return tlv(0x03, b"\0", content)


def oid(dotted: str) -> bytes:
    first, second, *more = (int(part) for part in dotted.split("."))
    return tlv(0x06, *(_base128(arc) for arc in (first * 40 + second, *more)))


def _base128(arc: int) -> bytes:
    digits = [arc & 0x7F]
    while arc := arc >> 7:
        digits.insert(0, arc & 0x7F | 0x80)
    return bytes(digits)


def common_name(content: bytes, tag: int = 0x0C) -> bytes:
    """Give a name of one common name in a string type of choice: UTF8String unless given."""
    return sequence(tlv(0x31, sequence(oid("2.5.4.3"), tlv(tag, content))))


def times(begin: bytes, end: bytes, tag: int = 0x17) -> bytes:
    """Give a validity in UTCTime unless *tag* is 0x18."""
    return sequence(tlv(tag, begin), tlv(tag, end))


def dns_names(*names: bytes) -> bytes:
    """Give the content of a subjectAltName of names that no library would take."""
    return sequence(*(tlv(0x82, name) for name in names))


def extension(dotted: str, value: bytes, *, critical: bool = False) -> bytes:
    return sequence(oid(dotted), tlv(0x01, b"\xff") if critical else b"", octets(value))


def children(der: bytes) -> list[bytes]:
    """Give the values inside one constructed value, each with its tag and length."""
    start, stop = _content(der, 0)
    found = []
    while start < stop:
        _, end = _content(der, start)
        found.append(der[start:end])
        start = end
    return found


def _content(der: bytes, at: int) -> tuple[int, int]:
    size, start = der[at + 1], at + 2
    if size >= 0x80:
        start += size & 0x7F
        size = int.from_bytes(der[at + 2 : start], "big")
    return start, start + size


@dataclass(frozen=True)
class Signing:
    """A way to sign: its AlgorithmIdentifier and the function from a private key and bytes to the signature."""

    algorithm: bytes
    sign: Callable[[Any, bytes], bytes]


def _rsa(dotted: str, scheme: Callable[[], padding.AsymmetricPadding], algorithm: hashes.HashAlgorithm) -> Signing:
    return Signing(sequence(oid(dotted), b"\x05\0"), lambda key, data: key.sign(data, scheme(), algorithm))


def _ecdsa(dotted: str, algorithm: hashes.HashAlgorithm) -> Signing:
    return Signing(sequence(oid(dotted)), lambda key, data: key.sign(data, ec.ECDSA(algorithm)))


ECDSA_SHA224 = _ecdsa("1.2.840.10045.4.3.1", hashes.SHA224())
ECDSA_SHA256 = _ecdsa("1.2.840.10045.4.3.2", hashes.SHA256())
ECDSA_SHA512 = _ecdsa("1.2.840.10045.4.3.4", hashes.SHA512())
RSA_SHA256 = _rsa("1.2.840.113549.1.1.11", padding.PKCS1v15, hashes.SHA256())
RSA_MD5 = _rsa("1.2.840.113549.1.1.4", padding.PKCS1v15, hashes.MD5())
RSA_SHA1 = _rsa("1.2.840.113549.1.1.5", padding.PKCS1v15, hashes.SHA1())


_SHA256 = sequence(oid("2.16.840.1.101.3.4.2.1"), b"\x05\0")
RSA_PSS_SHA256 = Signing(
    sequence(
        oid("1.2.840.113549.1.1.10"),
        sequence(
            tlv(0xA0, _SHA256),
            tlv(0xA1, sequence(oid("1.2.840.113549.1.1.8"), _SHA256)),
            tlv(0xA2, integer(32)),
        ),
    ),
    lambda key, data: key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()),
)


def forge(
    authority: CA, certificate: x509.Certificate, *, signing: Signing = ECDSA_SHA256, **changed: bytes | None
) -> bytes:
    """
    Give *certificate* again with parts *changed* (DER; None leaves one out), signed by *authority*.

    The parts are ``version``, ``serial``, ``algorithm``, ``issuer``, ``validity``, ``subject``, ``spki``
    and ``extensions``.
    """
    parts: dict[str, bytes | None] = dict(zip(_TBS, children(certificate.tbs_certificate_bytes), strict=True))
    parts |= {"algorithm": signing.algorithm, **changed}
    body = sequence(*(part for part in parts.values() if part))
    return sequence(body, signing.algorithm, bits(signing.sign(authority.key, body)))


def extensions(certificate: x509.Certificate, *added: bytes, drop: Sequence[str] = ()) -> bytes:
    """Give the extensions part of *certificate* with some *added* and others dropped."""
    kept = children(children(children(certificate.tbs_certificate_bytes)[-1])[0])
    dropped = [oid(dotted) for dotted in drop]
    return tlv(0xA3, sequence(*(e for e in kept if children(e)[0] not in dropped), *added))


def of(value: x509.ExtensionType, *, critical: bool = False) -> bytes:
    """Give an extension of `cryptography` in DER."""
    return extension(value.oid.dotted_string, value.public_bytes(), critical=critical)


def amended(authority: CA, *added: bytes, drop: Sequence[str] = ()) -> CA:
    """Give a twin of an intermediate whose certificate has extensions *added*, replaced or dropped."""
    assert authority.parent, "a root has nobody to sign it again"
    twin = CA.__new__(CA)
    twin.__dict__ |= authority.__dict__
    changed = extensions(authority.certificate, *added, drop=drop)
    twin.certificate = x509.load_der_x509_certificate(
        forge(authority.parent, authority.certificate, extensions=changed)
    )
    return twin


def forged_files(authority: CA, issued: Issued, **changed: bytes | None) -> dict[str, bytes]:
    """Give the files of *issued* with its leaf forged."""
    return issued.files(crt=armour("CERTIFICATE", forge(authority, issued.leaf, **changed)))  # type: ignore[arg-type]


def der_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


# --- Keys -------------------------------------------------------------------------------------

_P256 = {
    "p": 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    "b": 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    "gx": 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    "gy": 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    "n": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
P256_ORDER = _P256["n"]
_EC = oid("1.2.840.10045.2.1")
_NAMED = oid("1.2.840.10045.3.1.7")


def explicit_p256() -> bytes:
    """Give the ECParameters of P-256 written out: the same curve, and no browser reads it (CVE-2020-0601)."""
    p, b, gx, gy, n = (value.to_bytes(32, "big") for value in _P256.values())
    a = (_P256["p"] - 3).to_bytes(32, "big")
    field = sequence(oid("1.2.840.10045.1.1"), integer(int.from_bytes(p, "big")))
    curve = sequence(octets(a), octets(b))
    return sequence(integer(1), field, curve, octets(b"\x04" + gx + gy), integer(int.from_bytes(n, "big")), integer(1))


def point_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return b"\x04" + numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


def ec_private(scalar: int, point: bytes = b"", parameters: bytes = _NAMED, more: bytes = b"") -> bytes:
    """Give an EC key in PKCS#8: its scalar, its public point where given, its curve; *more* are attributes."""
    inner = sequence(integer(1), octets(scalar.to_bytes(32, "big")), tlv(0xA1, bits(point)) if point else b"")
    return sequence(integer(0), sequence(_EC, parameters), octets(inner), more)


def ec_public(point: bytes, parameters: bytes = _NAMED) -> bytes:
    return sequence(sequence(_EC, parameters), bits(point))


def rsa_private(n: int, e: int, d: int = 3, p: int = 3, q: int = 3) -> bytes:
    """Give an RSA key in PKCS#1 whose numbers need not fit."""
    return sequence(*(integer(x) for x in (0, n, e, d, p, q, d % (p - 1), d % (q - 1), 3)))


def rsa_public(n: int, e: int) -> bytes:
    return sequence(sequence(oid("1.2.840.113549.1.1.1"), b"\x05\0"), bits(sequence(integer(n), integer(e))))
