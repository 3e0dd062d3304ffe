"""Archives: what authorities send, what people pack, and what attackers make."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping

from tests.corpus.case import PASSPHRASE, Case, Files, Lab, accepted, refused
from tests.corpus.containers import locked, p12
from tests.pki import CA, DOTCLOUD_YML

_WHEN = (2026, 6, 30, 12, 0, 0)
_README = b"Thank you for your order. How to install your certificate: ...\r\n"


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _WHEN)
            info.compress_type = method
            archive.writestr(info, data)
    return buffer.getvalue()


def packed(members: Mapping[str, bytes]) -> bytes:
    """As people pack it: everybody may read what comes out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, _WHEN)
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def tarred(members: Mapping[str, bytes], *links: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for link in links:
            archive.addfile(link)
    return buffer.getvalue()


def _link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def _pair(lab: Lab) -> Files:
    """The certificates as an authority names them."""
    return {"shop_example_test.crt": lab.good.leaf_pem, "intermediate.crt": lab.good.chain_pem}


def _sent(pack: Callable[[Lab], bytes], name: str = "certificate.zip") -> Callable[[Lab], Files]:
    """The key beside an archive of the certificates."""
    return lambda lab: {**lab.good.files(crt=None, chain=None), name: pack(lab)}


def _beside(pack: Callable[[Lab], bytes], name: str = "more.zip") -> Callable[[Lab], Files]:
    """The good files with an archive beside them."""
    return lambda lab: {**lab.good.files(), name: pack(lab)}


def _encrypted(lab: Lab) -> bytes:
    """A zip under a password, by the old cipher that every program knows (PKWARE APPNOTE 6.1)."""
    plain = _pair(lab)
    data = zipped({name: _zip_cipher(content) for name, content in plain.items()}, zipfile.ZIP_STORED)
    for name, content in plain.items():
        cipher, checksum = _zip_cipher(content), zlib.crc32(content).to_bytes(4, "little")
        wrong, size = zlib.crc32(cipher).to_bytes(4, "little"), len(cipher).to_bytes(4, "little")
        data = data.replace(wrong + size + size, checksum + size + len(content).to_bytes(4, "little"))
        for signature, flags, name_at in ((b"PK\x03\x04", 6, 30), (b"PK\x01\x02", 8, 46)):
            at = _header(data, signature, name_at, name.encode())
            data = data[: at + flags] + bytes([data[at + flags] | 1]) + data[at + flags + 1 :]
    return data


def _header(data: bytes, signature: bytes, name_at: int, name: bytes) -> int:
    at = data.index(signature)
    while not data[at + name_at :].startswith(name):
        at = data.index(signature, at + 4)
    return at


def _zip_cipher(content: bytes) -> bytes:
    keys = [0x12345678, 0x23456789, 0x34567890]

    def feed(byte: int) -> None:
        keys[0] = zlib.crc32(bytes([byte]), keys[0] ^ 0xFFFFFFFF) ^ 0xFFFFFFFF
        keys[1] = ((keys[1] + (keys[0] & 0xFF)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = zlib.crc32(bytes([keys[1] >> 24]), keys[2] ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    for byte in PASSPHRASE:
        feed(byte)
    cipher = bytearray()
    for byte in bytes(11) + bytes([zlib.crc32(content) >> 24]) + content:
        mask = (keys[2] & 0xFFFF) | 2
        cipher.append(byte ^ ((mask * (mask ^ 1)) >> 8 & 0xFF))
        feed(byte)
    return bytes(cipher)


def _docx(lab: Lab) -> bytes:
    lines = b"".join(b"<w:p><w:r><w:t>" + line + b"</w:t></w:r></w:p>" for line in lab.good.leaf_pem.splitlines())
    text = b"<w:document><w:body>" + lines + b"</w:body></w:document>"
    return zipped({"[Content_Types].xml": b"<Types/>", "_rels/.rels": b"<Relationships/>", "word/document.xml": text})


def _macos(lab: Lab) -> bytes:
    return zipped(
        {
            **_pair(lab),
            "__MACOSX/._shop_example_test.crt": b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ",
            ".DS_Store": b"\x00\x00\x00\x01Bud1",
        }
    )


def _flipped(data: bytes) -> bytes:
    changed = bytearray(data)
    changed[100] ^= 0xFF
    return bytes(changed)


def _twice(lab: Lab) -> bytes:
    first, second = zipped({"shop.crt": lab.other.leaf_pem}), "shop.crt"
    buffer = io.BytesIO(first)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(zipfile.ZipInfo("sh0p.crt", _WHEN), lab.good.leaf_pem)
    return buffer.getvalue().replace(b"sh0p.crt", second.encode())


CASES: tuple[Case, ...] = (
    accepted(
        "zip of an authority, with a manual",
        _sent(lambda lab: zipped({**_pair(lab), "README.txt": _README})),
        "archive-unpacked",
        "file-left-out",
    ),
    accepted("zip of the certificates", _sent(lambda lab: zipped(_pair(lab))), "archive-unpacked"),
    accepted(
        "zip with the root",
        _sent(lambda lab: zipped({**_pair(lab), "root.crt": lab.root.pem})),
        "archive-unpacked",
        "root-left-out",
    ),
    accepted("zip without compression", _sent(lambda lab: zipped(_pair(lab), zipfile.ZIP_STORED)), "archive-unpacked"),
    accepted(
        "zip with a directory",
        _sent(lambda lab: zipped({"shop/": b"", **{f"shop/{n}": d for n, d in _pair(lab).items()}})),
        "archive-unpacked",
    ),
    accepted("zip of a Mac", _sent(_macos), "archive-unpacked"),
    accepted(
        "zip for each kind of server",
        _sent(
            lambda lab: zipped({f"{kind}/{n}": d for kind in ("Apache", "Nginx", "IIS") for n, d in _pair(lab).items()})
        ),
        "archive-unpacked",
        "certificate-repeated",
    ),
    accepted("zip of everything", lambda lab: {"files.zip": zipped(lab.good.files())}, "archive-unpacked"),
    accepted(
        "zip of everything in a directory",
        lambda lab: {"files.zip": zipped({f"tls/{n}": d for n, d in lab.good.files().items()})},
        "archive-unpacked",
    ),
    accepted(
        "zip with a name of umlauts",
        _sent(lambda lab: zipped(_pair(lab)), "Zertifikat für Müller.zip"),
        "archive-unpacked",
    ),
    accepted(
        "zip that is called .crt", lambda lab: lab.good.files(crt=zipped(_pair(lab)), chain=None), "archive-unpacked"
    ),
    accepted("tar", _sent(lambda lab: tarred(_pair(lab)), "certificate.tar"), "archive-unpacked"),
    accepted(
        "tar.gz",
        _sent(lambda lab: gzip.compress(tarred(_pair(lab)), mtime=0), "certificate.tar.gz"),
        "archive-unpacked",
    ),
    accepted("tar.bz2", _sent(lambda lab: bz2.compress(tarred(_pair(lab))), "certificate.tar.bz2"), "archive-unpacked"),
    accepted("tar.xz", _sent(lambda lab: lzma.compress(tarred(_pair(lab))), "certificate.txz"), "archive-unpacked"),
    accepted(
        "zip of another certificate beside",
        _beside(lambda lab: zipped({"other.crt": lab.other.leaf_pem})),
        "archive-unpacked",
        "certificate-left-out",
    ),
    accepted(
        "zip with a zip in it, not needed",
        _sent(lambda lab: zipped({**_pair(lab), "old.zip": zipped({"a": b"b"})})),
        "archive-unpacked",
        "file-left-out",
    ),
    refused(
        "zip of everything, the key under a passphrase",
        "key-encrypted",
        lambda lab: {"files.zip": zipped(lab.good.files(key=locked(lab.good.key)))},
    ),
    refused(
        "zip of a PKCS#12",
        "is-pkcs12",
        lambda lab: {"pfx.zip": zipped({"shop.pfx": p12(lab.good)}), "dotcloud.yml": DOTCLOUD_YML},
    ),
    refused("zip in place of dotcloud.yml", "yaml-missing", lambda lab: lab.good.files(yml=zipped({"a.txt": b"b"}))),
    refused("zip with a password", "archive-refused", _sent(_encrypted)),
    refused("zip cut off", "archive-refused", _sent(lambda lab: zipped(_pair(lab))[:-40])),
    refused("zip with a flipped bit", "archive-refused", _sent(lambda lab: _flipped(zipped(_pair(lab))))),
    refused("empty zip", "archive-refused", _sent(lambda lab: zipped({}))),
    refused(
        "zip that climbs out",
        "archive-refused",
        _sent(lambda lab: zipped({**_pair(lab), "../../etc/cron.d/shop": b"x"})),
    ),
    refused(
        "zip with a path from the root",
        "archive-refused",
        _sent(lambda lab: zipped({**_pair(lab), "/etc/passwd": b"x"})),
    ),
    refused(
        "zip with a path of Windows",
        "archive-refused",
        _sent(lambda lab: zipped({**_pair(lab), "..\\..\\autoexec.bat": b"x"})),
    ),
    refused("zip with one name twice", "archive-refused", _sent(_twice)),
    refused("zip bomb", "archive-refused", _sent(lambda lab: zipped({f"{n}.txt": bytes(60_000) for n in range(80)}))),
    refused(
        "zip of a thousand files",
        "archive-refused",
        _sent(lambda lab: zipped({**_pair(lab), **{f"{n}.txt": b"x" for n in range(1000)}})),
    ),
    refused("zip by LZMA", "archive-refused", _sent(lambda lab: zipped(_pair(lab), zipfile.ZIP_LZMA))),
    refused("zip in a zip", "certificate-missing", _sent(lambda lab: zipped({"inner.zip": zipped(_pair(lab))}))),
    refused("zip without certificates", "certificate-missing", _sent(lambda lab: zipped({"README.txt": _README}))),
    refused("Word document", "certificate-unreadable", _sent(_docx, "certificate.docx")),
    refused(
        "zip of the certificates of another site",
        "key-mismatch",
        _sent(lambda lab: zipped({"other.crt": lab.other.leaf_pem, "chain.crt": lab.other.chain_pem})),
    ),
    refused(
        "tar with a symbolic link",
        "archive-refused",
        _sent(lambda lab: tarred(_pair(lab), _link("ssl.key", "/etc/passwd")), "certificate.tar"),
    ),
    refused(
        "tar with a hard link",
        "archive-refused",
        _sent(lambda lab: tarred(_pair(lab), _link("ssl.key", "../secret", tarfile.LNKTYPE)), "certificate.tar"),
    ),
    refused(
        "tar with a device",
        "archive-refused",
        _sent(lambda lab: tarred(_pair(lab), _link("null", "", tarfile.CHRTYPE)), "certificate.tar"),
    ),
    refused(
        "tar.gz bomb",
        "archive-refused",
        _sent(lambda lab: gzip.compress(tarred({"zeros": bytes(20_000_000)}), 9, mtime=0), "certificate.tar.gz"),
    ),
    refused(
        "tar.gz cut off",
        "archive-refused",
        _sent(lambda lab: gzip.compress(tarred(_pair(lab)), mtime=0)[:-20], "certificate.tar.gz"),
    ),
    refused("7z", "archive-refused", _sent(lambda lab: b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(100), "certificate.7z")),
    refused(
        "RAR with a line break in its name",
        "archive-refused",
        _sent(lambda lab: b"Rar!\x1a\x07\x01\0" + bytes(100), "certificate\n.rar"),
    ),
    refused("RAR", "archive-refused", _sent(lambda lab: b"Rar!\x1a\x07\x01\0" + bytes(100), "certificate.rar")),
    refused(
        "gzip of one file",
        "archive-refused",
        _sent(lambda lab: gzip.compress(lab.good.leaf_pem + lab.good.chain_pem, mtime=0), "ssl.crt.gz"),
    ),
    refused(
        "zip with the whole trust store",
        "too-many-certificates",
        _sent(lambda lab: zipped({**_pair(lab), "roots.pem": b"".join(CA(f"Root {n}").pem for n in range(30))})),
    ),
)
