"""Files of nothing but what makes a parser of PEM, DER or YAML work; and files with a lot of name."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

from tasks.core import policy
from tasks.core.doctor.pem import armour
from tests.corpus import craft
from tests.fuzz.worst.case import BODY, FULL, YML, Files, Worst, blocks_of, fill, many
from tests.fuzz.worst.certificates import small_certificate

_KIB: Final = policy.KIB
_PKCS7_SIGNED: Final = "1.2.840.113549.1.7.2"
_PKCS7_DATA: Final = "1.2.840.113549.1.7.1"
BEGINS: Final = blocks_of(b"-----BEGIN CERTIFICATE-----\n")

_FILES_FULL_OF: Final = {
    "BEGIN lines": b"-----BEGIN CERTIFICATE-----\n",
    "BEGIN lines of PKCS#7": b"--BEGIN PKCS7--\n",
    "BEGIN lines of public keys": b"--BEGIN PUBLIC KEY--\n",
    "BEGIN lines of what has no meaning": b"--BEGIN A--\n",
    "whole blocks of what has no meaning": b"--BEGIN A--\nMAA=\nEND A\n",
    "whole blocks with another label": b"--BEGIN PKCS7--\nMAMCAQE=\nEND PKCS7\n",
    "almost BEGIN lines": b"-----BEGIN " + b"AAAAAAAAAAAAAAAAAAAA " * 6,
    "dashes": b"-",
    "spaces": b" ",
    "quote marks": b"> > > > > > > > > > > > \n",
    "line breaks written out": b"\\n",
    "zeros": b"\0",
    "base64": b"AAAA",
    "escapes of UTF-16": b"\xff\xfe",
    "tags of a SEQUENCE": b"\x30\x80",
}

_MANIFESTS: Final = {
    "brackets": "[" * 5000,
    "braces": "{" * 5000,
    "question marks": "? " * 5000,
    "dashes": "- " * 5000,
    "keys in keys": "".join(" " * n + "a:\n" for n in range(90)),
    "keys": "".join(f"k{n}: 1\n" for n in range(1000)),
    "one long key": "a" * 4000 + ": 1",
    "colons": "a:" * 2500,
    "spaces": "type:" + " " * 4000 + "python-worker",
    "anchors": "".join(f"a{n}: &a{n} [*a{max(n - 1, 0)}]\n" for n in range(200)),
    "quotes": "type: " + "'" * 4000,
    "escapes": 'type: "' + "\\x41" * 1000 + '"',
    "a folded text": "type: >\n" + " a\n" * 1300,
    "comments": "#\n" * 2040 + "type: x",
    "tags": "!a " * 1300,
    "directives": "%A b\n" * 800 + "---\n",
}


def _nested_der(size: int = BODY) -> bytes:
    """Give SEQUENCEs each in the other, as deep as fits."""
    der = b""
    while len(der) < size:
        der = craft.sequence(der)
    return der


def _deep_pkcs7() -> bytes:
    return craft.sequence(craft.oid(_PKCS7_SIGNED), craft.tlv(0xA0, _nested_der(60 * _KIB)))


def _endless_pkcs7() -> bytes:
    """PKCS#7 in BER whose content is an OCTET STRING in pieces in pieces, never ended."""
    start = b"\x30\x80" + craft.oid(_PKCS7_SIGNED) + b"\xa0\x80\x30\x80" + craft.integer(1) + b"\x31\0\x30\x80"
    return start + craft.oid(_PKCS7_DATA) + b"\xa0\x80" + b"\x24\x80" * (30 * _KIB)


def _pkcs7_of_many() -> bytes:
    certificates = craft.tlv(0xA0, *fill(small_certificate, 60 * _KIB))
    data = craft.sequence(craft.oid(_PKCS7_DATA))
    signed = craft.sequence(craft.integer(1), craft.tlv(0x31), data, certificates, craft.tlv(0x31))
    return craft.sequence(craft.oid(_PKCS7_SIGNED), craft.tlv(0xA0, signed))


def _colons() -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + blocks_of(b":\n", FULL - 60) + b"-----END CERTIFICATE-----"


def _manifest(text: str) -> Files:
    return {"dotcloud.yml": text.encode()[: policy.MANIFEST_MAX_BYTES]}


def cases() -> Iterator[Worst]:
    yield Worst("64 KiB of BEGIN lines", lambda: {"ssl.crt": BEGINS, **YML})
    for what, piece in _FILES_FULL_OF.items():
        yield Worst(f"100 files of {what}", lambda piece=piece: many(lambda _: blocks_of(piece)))  # type: ignore[misc]
    yield Worst("100 files of colons in a block", lambda: many(lambda _: _colons()))
    yield Worst("100 files of random bytes", lambda: many(lambda n: random.Random(n).randbytes(FULL)))
    deep = _nested_der()
    yield Worst("DER as deep as it goes", lambda: {"a.crt": deep, "a.key": armour("PRIVATE KEY", deep), **YML})
    yield Worst("PKCS#7 as deep as it goes", lambda: {"a.p7b": _deep_pkcs7(), **YML})
    yield Worst("100 PKCS#7 in pieces in pieces", lambda: many(lambda _: _endless_pkcs7(), name="{}.p7b"))
    yield Worst("100 PKCS#7 of many certificates", lambda: many(lambda _: _pkcs7_of_many(), name="{}.p7b"))
    for what, text in _MANIFESTS.items():
        yield Worst(f"a manifest of {what}", lambda text=text: _manifest(text))  # type: ignore[misc]
    yield Worst("a file name of a MiB", lambda: {"x" * policy.MIB + ".key": b"x", **YML})
    yield Worst("10,000 files", lambda: many(lambda _: b"x", 10_000))
