"""Good files to start from, and the ways in which they are spoilt. Made once, at one moment, for one hostname."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, PrivateFormat

from tasks.core.certificate import Terms
from tasks.core.doctor.der import read_value
from tasks.core.model import Hostname
from tests.corpus import containers, craft
from tests.pki import CA, Issued, PrivateKey, make_key

NOW: Final = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
SHOP: Final = Hostname("shop.example.test")
CONSTRUCTED: Final = 0x20
_STRINGS: Final = {0x03: 1, 0x04: 0}  # BIT STRING, after its count of unused bits; OCTET STRING


@cache
def root() -> CA:
    return CA("Example Root", now=NOW)


@cache
def middle() -> CA:
    return root().intermediate("Example Intermediate")


@cache
def good() -> Issued:
    return middle().issue([SHOP, "*.example.test"])


@cache
def good_rsa() -> Issued:
    return middle().issue([SHOP], key="rsa2048", organization="Example Shops Ltd")


@cache
def terms(hostname: Hostname | None = SHOP) -> Terms:
    return Terms([root().certificate], public_trust=False, now=NOW, hostname=hostname)


@cache
def key_ders() -> tuple[bytes, ...]:
    """The private keys in every form that is accepted."""
    return _in_both_forms(good().key, good_rsa().key)


@cache
def spare_key_ders() -> tuple[bytes, ...]:
    """The same of keys that are in no file."""
    return _in_both_forms(make_key(), make_key("rsa2048", 1))


def _in_both_forms(*keys: PrivateKey) -> tuple[bytes, ...]:
    forms = (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    return tuple(containers.key_der(key, form) for key in keys for form in forms)


@cache
def certificate_ders() -> tuple[bytes, ...]:
    return tuple(craft.der_of(c) for c in (good().leaf, good_rsa().leaf, middle().certificate, root().certificate))


@cache
def other_ders() -> tuple[bytes, ...]:
    """What is neither key nor certificate, but may hold one."""
    issued = good()
    return (
        containers.p12(issued),
        containers.p7(issued),
        containers.request(issued, Encoding.DER),
        containers.locked_der(issued.key),
        containers.public(issued.key, Encoding.DER),
    )


@cache
def archives() -> Mapping[str, bytes]:
    """The good files in every archive that is opened."""
    files = {f"shop/{name}": data for name, data in good().files().items()}
    tar = _tar(files)
    return {
        "a.zip": _zip(files),
        "a.tar": tar,
        "a.tgz": gzip.compress(tar, mtime=0),
        "a.tar.bz2": bz2.compress(tar),
        "a.tar.xz": lzma.compress(tar),
    }


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(content), {"path": name, "comment": "a shop"}
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def _zip(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


# --- One value of DER changed, all lengths around it put right ---------------------------------------------------

Change = Callable[[int, bytes], bytes]


def count_values(der: bytes) -> int:
    """Give how many values there are in *der*, those inside others and inside strings with them."""
    return sum(1 for _ in _walk(der))


def change_value(der: bytes, number: int, change: Change) -> bytes:
    """Give *der* with the value *number* replaced by what *change* makes of its tag and content."""
    left = [number]

    def visit(tag: int, content: bytes) -> bytes:
        left[0] -= 1
        return change(tag, content) if left[0] == -1 else craft.tlv(tag, content)

    return _rebuild(der, visit)


def _rebuild(der: bytes, visit: Change) -> bytes:
    return b"".join(visit(tag, _rebuild_inside(tag, content, visit)) for tag, content in _values(der))


def _rebuild_inside(tag: int, content: bytes, visit: Change) -> bytes:
    inside = _inside(tag, content)
    return content[: len(content) - len(inside)] + _rebuild(inside, visit)


def _values(der: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(der):
        tag, content, at = read_value(der, at)
        yield tag, content


def _walk(der: bytes) -> Iterator[bytes]:
    for tag, content in _values(der):
        yield content
        yield from _walk(_inside(tag, content))


def _inside(tag: int, content: bytes) -> bytes:
    """Give the values inside a value: of a constructed one, or of a string that holds DER itself."""
    if tag & CONSTRUCTED:
        return content
    at = _STRINGS.get(tag)
    return content[at:] if at is not None and _is_whole(content[at:]) else b""


def _is_whole(der: bytes) -> bool:
    if der[:1] not in (b"\x30", b"\x02", b"\x04"):
        return False
    try:
        return all(tag for tag, _ in _values(der))
    except ValueError:
        return False


def resign(body: bytes) -> bytes:
    """Give a certificate whose signed part is *body*, signed by the intermediate, whatever *body* is."""
    signing = craft.ECDSA_SHA256
    return craft.sequence(body, signing.algorithm, craft.bits(signing.sign(middle().key, body)))


# --- Many files in one string of bytes, for a fuzzer --------------------------------------------------------------

_BEGIN: Final = b"\n=FILE="


def pack(files: Mapping[str, bytes]) -> bytes:
    return b"".join(_BEGIN + name.encode("utf-8", "surrogateescape") + b"\n" + data for name, data in files.items())


def unpack(data: bytes) -> dict[str, bytes]:
    """Give the files of *data*; any bytes are some files."""
    parts = [part.partition(b"\n") for part in data.split(_BEGIN)]
    return {name.decode("utf-8", "surrogateescape"): content for name, _, content in parts}
